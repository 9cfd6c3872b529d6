"""A real CT as an unknown dataset: planned, turned into a bundle, trained for an epoch.

There is one scan only. The six cases are copies of its part around spleen and pancreas, each cut shorter at one side by
another length, so the test shows that real files go through, not that anything is learned.
"""

import csv
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import workflow
from own_datasets import write_case, write_index

from seat_components.planning.commands import new_bundle, plan_dataset

ORGANS = ("spleen", "pancreas", "colon")
CASES = 6
PART = (slice(2, 62), slice(30, 90))  # voxels along the first two axes


@pytest.fixture(scope="module")
def abdomen(tmp_path_factory):
    """An MSD folder made of the one scan."""
    data = Path(os.environ.get("SEAT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    source = data / "other" / "abdomen_ct"
    if not (source / "image.nii.gz").is_file():
        pytest.skip(f"needs the CT {source}: set SEAT_TEST_DATA to the folder above other/abdomen_ct")
    folder = tmp_path_factory.mktemp("data") / "Abdomen"
    image = nib.load(source / "image.nii.gz")
    volume = np.asarray(image.dataobj)
    label = np.zeros(volume.shape, dtype=np.uint8)
    for value, organ in enumerate(ORGANS, start=1):
        label[np.asarray(nib.load(source / f"{organ}.nii.gz").dataobj) > 0] = value
    volume, label = volume[PART], label[PART]
    for number in range(CASES):
        kept = slice(0, volume.shape[0] - 2 * number)
        write_case(folder, f"abdomen_{number}", volume[kept], label[kept], image.affine)
    names = [f"abdomen_{number}" for number in range(CASES)]
    write_index(folder, names, labels=("background", *ORGANS), name="Abdomen", licence="Apache-2.0")
    return folder


@pytest.fixture(scope="module")
def plan(abdomen):
    return plan_dataset(abdomen)


def test_the_plan_is_sensible(plan):
    assert plan.fingerprint.spacing == (3.0, 3.0, 3.0)
    assert plan.fingerprint.median_size == (55, 60, 30)
    assert plan.fingerprint.small_label == 1 + ORGANS.index("pancreas")
    assert plan.patches.train == (48, 48, 24)
    assert -1024 <= plan.fingerprint.p0_5[0] < plan.fingerprint.mean[0] < plan.fingerprint.p99_5[0] < 500


def test_the_bundle_trains_an_epoch_of_its_own_network(abdomen, plan, tmp_path):
    bundle = new_bundle(plan, "abdomen", tmp_path / "bundles")
    out = str(tmp_path / "run")
    flow = workflow(
        bundle,
        ["train"],
        dataset_dir=str(abdomen),
        ckpt_dir=out,
        output_dir=out,
        fold=1,
        epochs=1,
        val_interval=1,
        num_workers=0,
        patch_size=[32, 32, 16],
        val_patch_size=[64, 64, 32],  # one window covers a case
    )
    flow.run()
    (row,) = csv.DictReader((tmp_path / "run" / "training_history.csv").open())
    assert np.isfinite([float(row["train_loss"]), float(row["val_mean_dice"])]).all()
    assert (tmp_path / "run" / "model.pt").is_file()
