"""All ten committed bundles run end to end on their own phantom, with their own network at its smallest patch."""

import csv
import json
import math
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import workflow

from seat_components.data import write_phantom
from seat_components.records.history import FILE as HISTORY
from seat_components.tasks import all_tasks, load_task

BUNDLES = Path(__file__).parents[2] / "bundles"
TASKS = [task.name for task in all_tasks()]


def smallest_patch(task):
    """ROG's lattice halves four times below its stem; its last level must keep more than one voxel."""
    sizes = [max(4 * math.prod(stage[axis] for stage in task.strides), 8) for axis in range(3)]
    return [sizes[0] * 2, *sizes[1:]]


@pytest.fixture(scope="module", params=TASKS)
def trained(request, tmp_path_factory):
    """A bundle after two epochs of SEAT: the first clean, the second adversarial."""
    task = load_task(request.param)
    folder = tmp_path_factory.mktemp(task.bundle)
    data = folder / task.name
    write_phantom(task, data, cases=(2, 1))
    patch = smallest_patch(task)
    options = {
        "dataset_dir": str(data),
        "ckpt_dir": str(folder / "models"),
        "output_dir": str(folder / "eval"),
        "patch_size": patch,
        "val_patch_size": [64, 64, 16 * math.ceil(patch[2] / 16)],  # few windows cover the phantom
        "batch_size": 1,
        "num_workers": 0,
    }
    seat = {"epochs": 2, "update_every": 1, "val_interval": 2}
    workflow(BUNDLES / task.bundle, ["train"], **options, **seat).run()
    return task, folder, options


def record(folder, name):
    return json.loads((folder / "eval" / name).read_text())


@pytest.mark.slow
def test_trains_and_reaches_adversarial_replays(trained):
    task, folder, _ = trained
    rows = list(csv.DictReader((folder / "eval" / HISTORY).read_text().splitlines()))
    assert [int(row["g"]) for row in rows] == [1, 2]
    assert [float(row["backpropagations"]) for row in rows] == [1, 3]  # cumulative, per batch
    assert all(math.isfinite(float(row["train_loss"])) for row in rows)
    assert all(f"val_dice_{label}" in rows[-1] for label in task.labels[1:])
    weights = torch.load(folder / "models" / "model.pt", weights_only=True)
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.slow
def test_evaluates_every_class(trained):
    task, folder, options = trained
    weights = str(folder / "models" / "model.pt")
    workflow(BUNDLES / task.bundle, ["train", "evaluate"], weights=weights, **options).run()
    (case,) = record(folder, "metrics.json")["cases"]
    assert list(case["dice"]) == list(task.labels[1:])
    assert all(0 <= dice <= 1 for dice in case["dice"].values())


@pytest.mark.slow
def test_is_attacked_within_the_budget(trained):
    task, folder, options = trained
    weights = str(folder / "models" / "model.pt")
    shorter = {"attack_eps_255": [8], "steps": 2, "val_patch_size": options["patch_size"]}
    options = {**options, "weights": weights, **shorter}
    workflow(BUNDLES / task.bundle, ["train", "attack"], **options).run()
    rows = record(folder, "robustness.json")["cases"]
    assert {"clean", "apgd-dice", "apgd-dice-normalised"} <= {row["attack"] for row in rows}
    assert all(row["linf_over_budget"] <= 1 for row in rows)
    assert all(list(row["dice"]) == list(task.labels[1:]) for row in rows)


@pytest.mark.slow
def test_writes_masks_in_the_grid_of_each_scan(trained):
    task, folder, options = trained
    shared = {key: options[key] for key in ("dataset_dir", "val_patch_size")}
    weights = str(folder / "models" / "model.pt")
    workflow(BUNDLES / task.bundle, ["inference"], weights=weights, output_dir=str(folder / "masks"), **shared).run()
    scans = sorted((folder / task.name / "imagesTs").iterdir())
    assert len(scans) == 2
    for scan in map(nib.load, scans):
        mask = nib.load(folder / "masks" / Path(scan.get_filename()).name)
        assert mask.shape == scan.shape[:3]
        assert np.allclose(mask.affine, scan.affine)
        assert set(np.unique(mask.dataobj)) <= set(range(len(task.labels)))
