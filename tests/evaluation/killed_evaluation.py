"""Kill an evaluation at each of its writes, let it go on, and print where its files differ from an uninterrupted one's.

A program of its own, as it forks: ``python killed_evaluation.py attack|metrics|corruptions|certificate FOLDER``.
"""

import json
import os
import signal
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from monai.transforms import NormalizeIntensityd

from seat_components.corruptions import table
from seat_components.data import ClipIntensityd
from seat_components.evaluation import (
    PROTOCOLS,
    AttackSetting,
    AttackUpdate,
    CertificateUpdate,
    CorruptionRecord,
    MetricsRecord,
    Protocol,
)
from seat_components.evaluation.identity import name_of
from seat_components.evaluation.protocols import Check
from seat_components.records.corruptions import Severities
from seat_components.smoothing import Smoothing

NAMES = {"0": "background", "1": "left", "2": "right"}
ATTACKS = (
    AttackSetting("random"),
    AttackSetting("pgd-ce", {"steps": 2}),
    AttackSetting("square", {"steps": 2}, cases=1, one_budget=True),
)
CASES = [{"image": f"/data/{name}.nii.gz", "label": f"/labels/{name}.nii.gz"} for name in ("one", "two")]


def case(number):
    generator = torch.Generator().manual_seed(number)
    image = torch.rand((1, 1, 6, 6, 6), generator=generator)
    return image, (3 * torch.rand(image.shape, generator=generator)).long()


def attack(folder):
    torch.manual_seed(0)
    update = AttackUpdate(folder / "out", folder / "model.pt", "bundle", NAMES, "quick", [4, 8])
    batches = []
    for entry in update.remaining(CASES):
        image, label = case(CASES.index(entry))
        batches.append({"image": MetaTensor(image, meta={"filename_or_obj": [entry["image"]]}), "label": label})
    if batches:
        network = torch.nn.Conv3d(1, 3, 3, padding=1)
        SupervisedEvaluator(torch.device("cpu"), batches, network, iteration_update=update).run()


def metrics(folder):
    record = MetricsRecord(folder / "out", folder / "model.pt", "bundle", NAMES)
    for entry in record.remaining(CASES):
        _, label = case(CASES.index(entry))
        record.add(name_of(entry), label.roll(1), label, [1.0, 1.0, 2.0])
        record.write()


def corruptions(folder):
    row = Severities(unit="share", values=(0.1, 0.2, 0.3, 0.4, 0.5), source="chosen here")
    table._table = lambda: {"mri": {"gamma": row}, "both": {}}
    record = CorruptionRecord(folder / "out", folder / "model.pt", "bundle", NAMES, ct=False)
    for sample in record.runs(record.remaining(CASES)):
        _, label = case(CASES.index({key: sample[key] for key in ("image", "label")}))
        output = {"pred": label[0].roll(sample["severity"]), "label": label[0]}
        record.take(SimpleNamespace(state=SimpleNamespace(batch=[sample], output=[output])))
        record.write()


def certificate(folder):
    torch.manual_seed(0)
    transforms = [ClipIntensityd("image", [0.1], [0.9]), NormalizeIntensityd("image", [0.5], [0.3], channel_wise=True)]
    smoothing = Smoothing(transforms, ct=False, sigmas={"gamma": 0.3, "gaussian-noise": 0.2})
    args = folder / "out", folder / "model.pt", "bundle", NAMES, smoothing
    update = CertificateUpdate(*args, radii=[0.05], selection_draws=2, draws=15, confidence=0.9)
    batches = []
    for sample in update.runs(update.remaining(CASES)):
        image, label = case(CASES.index({key: sample[key] for key in ("image", "label")}))
        named = {key: [sample[key]] for key in ("case", "transformation")}
        batches.append({"image": image, "label": label, **named})
    if batches:
        network = torch.nn.Conv3d(1, 3, 3, padding=1)
        evaluator = SupervisedEvaluator(torch.device("cpu"), batches, network, iteration_update=update, decollate=False)
        update.attach(evaluator)
        evaluator.run()


def in_a_process(evaluate, folder, killed_at=None):
    """Whether it came to its end; killed before (2k) or after (2k + 1) its k-th file has come into its place."""
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise SystemExit(f"the evaluation failed (killed at {killed_at})")
        return not os.WIFSIGNALED(status)
    moment = 0
    replace = Path.replace

    def step():
        nonlocal moment
        if moment == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        moment += 1

    def replaced(path, target):
        step()
        result = replace(path, target)
        step()
        return result

    Path.replace = replaced
    try:
        evaluate(folder)
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(1)
    os._exit(0)


def found(folder):
    """What the evaluation left, by file; without the times, and what an ended write left half done."""
    content = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        name = str(file.relative_to(folder))
        if file.suffix == ".npz":
            with np.load(file) as arrays:
                content[name] = {key: arrays[key].tolist() for key in arrays.files}
        elif file.suffix == ".json":
            content[name] = json.loads(file.read_text())
            for cost in content[name].get("cost", {}).values():
                cost["seconds"] = 0
        else:
            content[name] = file.read_text()
    return content


def new_folder(root, name):
    folder = root / name
    folder.mkdir()
    (folder / "model.pt").write_bytes(b"weights")
    return folder


def main(kind, root):
    evaluate = {"attack": attack, "metrics": metrics, "corruptions": corruptions, "certificate": certificate}[kind]
    PROTOCOLS["quick"] = Protocol(ATTACKS, checks=(Check("more effort", effort=2),), checked_cases=1)
    whole = new_folder(root, "whole")
    in_a_process(evaluate, whole)
    wanted = found(whole / "out")
    different: list[str] = []
    for moment in count():
        folder = new_folder(root, str(moment))
        if in_a_process(evaluate, folder, moment):
            print(json.dumps({"kills": moment, "files": sorted(wanted), "different": different}))
            return
        in_a_process(evaluate, folder)
        now = found(folder / "out")
        different += [f"{moment}: {name}" for name in wanted.keys() | now.keys() if wanted.get(name) != now.get(name)]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
