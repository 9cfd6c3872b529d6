"""Measure the peak memory of inference and evaluation on a large CT: ``python -m tools.whole_volume_memory``.

The volume is noise around an ellipsoid, the network a single convolution: what is measured is the pipeline, which
holds the volume, its class scores and their way back into the scan's grid. A network adds what one window needs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from seat_components.tasks import Task, fold_cases, load_task

BUNDLES = Path(__file__).parents[1] / "bundles"
GIB_PER_KIB = 2**-20
# Runs its arguments as a command, and prints the most memory that it held.
WATCH = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def write_dataset(folder: Path, task: Task, shape: Sequence[int], spacing: Sequence[float]) -> None:
    """An MSD folder with one large case, to be evaluated and segmented."""
    random = np.random.default_rng(0)
    name = fold_cases(task)[1][0]
    affine = np.diag([*spacing, 1.0])
    label = np.zeros(shape, np.uint8)
    centre = tuple(slice(n // 3, n // 2) for n in shape)
    label[centre] = 1
    image = random.integers(-1000, 400, size=shape, dtype=np.int16)
    image[centre] += 200
    for kind, volume in (("images", image), ("labels", label)):
        (folder / f"{kind}Tr").mkdir(parents=True)
        nib.save(nib.Nifti1Image(volume, affine), folder / f"{kind}Tr" / f"{name}.nii.gz")
    (folder / "imagesTs").mkdir()
    (folder / "imagesTs" / "scan.nii.gz").hardlink_to(folder / "imagesTr" / f"{name}.nii.gz")
    case = {"image": f"imagesTr/{name}.nii.gz", "label": f"labelsTr/{name}.nii.gz"}
    (folder / "dataset.json").write_text(json.dumps({"training": [case], "test": ["imagesTs/scan.nii.gz"]}))


def measure(task_name: str, shape: Sequence[int], spacing: Sequence[float], kind: str) -> tuple[float, float]:
    """(peak memory in GiB, seconds) of ``kind``, which is inference or evaluate, in a process of its own."""
    task = load_task(task_name)
    bundle = BUNDLES / task.bundle
    with tempfile.TemporaryDirectory() as folder:
        data, weights = Path(folder) / task.name, Path(folder) / "weights.pt"
        write_dataset(data, task, shape, spacing)
        words: dict[str, object] = {
            "dataset_dir": data,
            "output_dir": Path(folder) / "out",
            "bundle_root": bundle,
            "weights": weights,
        }
        channels, classes = len(task.modalities), len(task.labels)
        torch.save(torch.nn.Conv3d(channels, classes, 1).state_dict(), weights)
        arguments = {"in_channels": channels, "out_channels": classes, "kernel_size": 1}
        words["network_def"] = json.dumps({"_target_": "torch.nn.Conv3d", **arguments})
        configs = ["train", "evaluate"] if kind == "evaluate" else ["inference"]
        files = [str(bundle / "configs" / f"{name}.json") for name in configs]
        command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files)]
        command += [word for name, value in words.items() for word in (f"--{name}", str(value))]
        start = time.monotonic()
        watched = [sys.executable, "-c", WATCH, *command]
        result = subprocess.run(watched, stdout=subprocess.PIPE, text=True, check=True)
        return int(result.stdout) * GIB_PER_KIB, time.monotonic() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.whole_volume_memory", description=__doc__)
    parser.add_argument("--task", default="Task03_Liver")
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 600))
    parser.add_argument("--spacing", type=float, nargs=3, default=(0.8, 0.8, 1.25), help="mm")
    parser.add_argument("--kinds", nargs="+", default=["inference", "evaluate"])
    options = parser.parse_args()
    for run in options.kinds:
        peak, seconds = measure(options.task, tuple(options.shape), options.spacing, run)
        print(f"{run}: {peak:.1f} GiB at the peak, {seconds:.0f} s")
