"""The commands that are typed in a bundle's folder, on a phantom, and what each must leave behind."""

import re
import shutil

import pytest
from small_bundles import EPOCHS, small_bundle
from typed import typed

from seat_components.bundles.results import results_of
from seat_components.records.history import FILE as HISTORY
from seat_components.tasks import load_task

# What a command leaves behind, by a word of it.
WRITES = {
    "evaluate.json": "eval/metrics.json",
    "attack.json": "eval/robustness.json",
    "corrupt.json": "eval/corruptions.json",
    "certify.json": "eval/certified/*/*_abstained.nii.gz",
    "inference.json --dataset_dir": "masks/*.nii.gz",
    "mlflow": "eval/mlruns.db",
    "ckpt_export": "model.ts",
    "onnx_export": "model.onnx",
    "report": "eval/report.html",
}
FIRST_EPOCHS = 2


def repeats(command, others):
    """Whether another starts the same program, so that ``command`` may start warm.

    Imports are the program's; what a config imports beyond them is named in it, and imported in a warm start as well.
    """
    return _programs(command) <= set().union(*map(_programs, others))


def _programs(command):
    return set(re.findall(r"(?<=-m )\S+ \w+|torchrun|--tracking", command))


def type_in(bundle, command, data, warm=False):
    """Type ``command`` in the folder ``bundle``; a training of N epochs is one of two."""
    meant = {
        "DATA": data,
        "SCANS": data / "imagesTs",
        "MASKS": "masks",
        "FILE": bundle / "models" / "model.pt",
        "EVAL_DIR…": "eval",
    }
    return typed(re.sub(r"--epochs \d+", f"--epochs {FIRST_EPOCHS}", command), bundle, meant, warm=warm)


def trained_bundle(task, folder, data):
    """A small bundle after two of its three epochs; other files of weights that a card names are copies of its own."""
    bundle = small_bundle(task, folder)
    command = "python -m monai.bundle run --config_file configs/train.json --dataset_dir DATA --epochs 2"
    type_in(bundle, command, data, warm=True)
    assert epochs(bundle) == FIRST_EPOCHS
    for result in results_of(load_task("Task04_Hippocampus")):
        if result.file != "model.pt":
            shutil.copy(bundle / "models/model.pt", bundle / "models" / result.file)
    return bundle


def require_run(command, trained, data, folder, warm):
    """Type ``command`` in a copy of the bundle ``trained``: it ends well and leaves what it should."""
    if "mlflow" in command:
        pytest.importorskip("mlflow", reason="needs MLflow: pip install mlflow-skinny sqlalchemy alembic")
    bundle = shutil.copytree(trained, folder / "bundle")
    trains = "train.json" in command and not any(
        overlay in command for overlay in ("evaluate", "attack", "corrupt.json", "certify.json")
    )
    if trains and "resume" not in command:
        (bundle / "eval" / HISTORY).unlink()
    said = type_in(bundle, command, data, warm)
    for word, file in WRITES.items():
        assert word not in command or list(bundle.glob(file)), said
    if trains:
        assert epochs(bundle) == (FIRST_EPOCHS if "--epochs" in command else EPOCHS), said
    if "resume" in command:
        assert f"{FIRST_EPOCHS} epochs done" in said


def epochs(bundle):
    """How many the history of ``bundle`` has."""
    return len((bundle / "eval" / HISTORY).read_text().splitlines()) - 1
