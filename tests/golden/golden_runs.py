"""Small runs of the Task04 bundle on a phantom, and what they come to: the figures that a change of structure keeps.

``PYTHONPATH=tests python tests/golden/golden_runs.py`` prints a checksum of all that each run computed, to the bit:
the same before and after a change of structure on one machine. With ``--write`` the figures are stored anew.
"""

import csv
import hashlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from bundle_runs import UNET, save_unet, workflow
from ignite.engine import Events
from monai.bundle import ConfigWorkflow

from seat_components.bundles.render import write_bundle
from seat_components.data import write_phantom
from seat_components.tasks import load_task

TASK = "Task04_Hippocampus"
FIGURES = Path(__file__).parent / "figures.json"
CPU = {"device": "cpu", "val_patch_size": [16, 16, 16]}
# Two batches an epoch; SEAT's first adversarial epoch is the second.
TRAINING = {
    **CPU,
    "network_def": UNET,
    "num_workers": 0,
    "batch_size": 3,
    "patch_size": [16, 16, 16],
    "update_every": 1,
    "val_interval": 2,
}
TRAININGS = {
    "seat": (["train"], {"epochs": 4}),
    "free": (["train", "free"], {"epochs": 2, "replays": 2}),
    "pgd": (["train", "pgd", "select_robust"], {"epochs": 2, "attack_steps": 2, "val_attack_steps": 2}),
    "finetuned": (["train", "random", "finetune"], {"epochs": 1}),
}
EVALUATIONS = {
    "evaluated": ({}, ["evaluate"]),
    "attacked": ({"attack_eps_255": [4, 8], "steps": 2, "max_cases": 1}, ["attack"]),
}


def make(folder):
    """Make all runs below ``folder``: run → its folder. All but the two of ``EVALUATIONS`` write masks or weights."""
    write_phantom(load_task(TASK), folder / TASK, cases=(4, 2))
    bundle = write_bundle(TASK, folder / "bundles")
    weights = save_unet(folder / "pretrained.pt")
    data = {"dataset_dir": str(folder / TASK)}
    places = {}
    for name, (configs, options) in TRAININGS.items():
        places[name] = folder / name
        own = {"pretrained": str(weights)} if "finetune" in configs else {}
        train(bundle, configs, places[name], **data, **options, **own)
    places["resumed"] = folder / "resumed"
    # In the middle of the second epoch.
    train(bundle, ["train"], places["resumed"], stop_at=3, **data, epochs=4)
    train(bundle, ["train", "resume"], places["resumed"], **data, epochs=4)
    for name, (options, configs) in EVALUATIONS.items():
        places[name] = folder / name
        more = {**TRAINING, **data, **options, "weights": str(weights), "output_dir": str(places[name])}
        workflow(bundle, ["train", *configs], **more).run()
    places["predicted"] = folder / "predicted"
    predict(bundle, weights, places["predicted"], **data)
    return places


def train(bundle, configs, folder, stop_at=None, **options):
    """One training, asked to stop at a batch."""
    flow = workflow(bundle, configs, **{**TRAINING, "ckpt_dir": str(folder), "output_dir": str(folder), **options})
    if stop_at is not None:
        trainer = flow.parser.get_parsed_content("train#trainer")
        stop = Events.ITERATION_STARTED(once=stop_at)
        trainer.add_event_handler(stop, lambda: os.kill(os.getpid(), signal.SIGTERM))
    flow.run()


def predict(bundle, weights, folder, **options):
    """The masks of the phantom's test scans."""
    flow = ConfigWorkflow(
        config_file=str(bundle / "configs" / "inference.json"),
        workflow_type="infer",
        bundle_root=str(bundle),
        network_def=UNET,
        weights=str(weights),
        output_dir=str(folder),
        **CPU,
        **options,
    )
    flow.initialize()
    flow.run()


def content(folder):
    """All that a run computed, without what is about time, versions and places: file → content."""
    found = {}
    for file in sorted(folder.iterdir()):
        if file.name in ("model.pt", "model_final.pt"):
            found[file.name] = as_arrays(torch.load(file, weights_only=True))
        elif file.name == "training_checkpoint.pt":
            found[file.name] = as_arrays(torch.load(file, weights_only=True)["parts"])
        elif file.name == "training_history.csv":
            rows = list(csv.DictReader(file.open()))
            found[file.name] = [{key: cell for key, cell in row.items() if key != "seconds"} for row in rows]
        elif file.name == "metrics.json":
            found[file.name] = json.loads(file.read_text())["cases"]
        elif file.name == "robustness.json":
            record = json.loads(file.read_text())
            found[file.name] = [record["cases"], record["summary"]]
        elif file.name.endswith(".nii.gz"):
            found[file.name] = np.asarray(nib.load(file).dataobj)
    return found


def as_arrays(value):
    """The content of a PyTorch file without its seconds, tensors as arrays."""
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, dict):
        return {str(key): as_arrays(part) for key, part in value.items() if key != "seconds"}
    return [as_arrays(part) for part in value] if isinstance(value, list | tuple) else value


def checksum(value):
    """SHA-256 of a content, to the bit."""
    digest = hashlib.sha256()

    def add(part):
        if isinstance(part, np.ndarray):
            digest.update(str((part.dtype, part.shape)).encode() + np.ascontiguousarray(part).tobytes())
        elif isinstance(part, dict):
            for key, inner in part.items():
                digest.update(key.encode())
                add(inner)
        elif isinstance(part, list):
            for inner in part:
                add(inner)
        else:
            digest.update(repr(part).encode())

    add(value)
    return digest.hexdigest()


def figures(found):
    """A content in figures that mean the same on every machine: sizes of arrays, and the numbers of records."""
    if isinstance(found, np.ndarray):
        values = found.astype(np.float64)
        return {"mean": rounded(values.mean()), "norm": rounded(np.linalg.norm(values))}
    if isinstance(found, dict):
        # The weights and the history say what its parts would.
        return {key: figures(value) for key, value in found.items() if key != "training_checkpoint.pt"}
    if isinstance(found, list):
        return [figures(value) for value in found]
    return rounded(found)


def rounded(value):
    """A number of seven digits; anything else as it is."""
    try:
        return float(f"{float(value):.7g}")
    except (TypeError, ValueError):
        return value


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        contents = {name: content(folder) for name, folder in make(Path(place)).items()}
    for run, found in contents.items():
        print(run, checksum(found))
    if "--write" in sys.argv[1:]:
        lines = [f"{json.dumps(run)}: {json.dumps(figures(found))}" for run, found in contents.items()]
        FIGURES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
