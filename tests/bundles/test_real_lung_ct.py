"""A real chest CT with a labelled tumour goes through the Task06 bundle."""

import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import UNET, save_unet, workflow

from seat_components.data import write_phantom
from seat_components.tasks import fold_cases, load_task

TASK = load_task("Task06_Lung")
BUNDLE = Path(__file__).parents[2] / "bundles" / TASK.bundle
NETWORK = {**UNET, "out_channels": 2}
TRAINED, VALIDATED = (section[0] for section in fold_cases(TASK))
PATCH = [64, 64, 32]
# Two windows of the bundle along each axis, with the tumour; all of the CT is 45 windows of the same.
SEGMENTED = (slice(86, 426), slice(86, 426), slice(8, 32))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scan():
    """The folder of the CT; skips where it is absent."""
    data = Path(os.environ.get("SEAT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    folder = data / "other" / "lung_ct"
    if not (folder / "image.nii.gz").is_file():
        pytest.skip(f"needs the real CT in {folder}: set SEAT_TEST_DATA to the folder that holds other/lung_ct")
    return folder


@pytest.fixture(scope="module")
def folder(scan, tmp_path_factory):
    """An MSD folder: the CT to train on and the part of it to segment, beside a phantom to validate on."""
    folder = tmp_path_factory.mktemp("lung") / TASK.name
    write_phantom(TASK, folder, cases=(1, 1))
    for kind in ("image", "label"):
        shutil.copy(scan / f"{kind}.nii.gz", folder / f"{kind}sTr" / f"{TRAINED}.nii.gz")
    for number, file in enumerate(sorted((folder / "imagesTs").iterdir())):
        if number:
            nib.save(nib.load(scan / "image.nii.gz").slicer[SEGMENTED], file)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Resampling the CT takes a while, so it is done once."""
    return str(tmp_path_factory.mktemp("cache"))


def flow(folder, cache, out, **more):
    options = {"batch_size": 1, "num_workers": 0, "cache_rate": 0.0, "cache_dir": cache, "patch_size": PATCH}
    folders = {"dataset_dir": str(folder), "ckpt_dir": str(out / "models"), "output_dir": str(out / "eval")}
    return workflow(BUNDLE, ["train"], **options, **folders, val_patch_size=[128, 128, 32], **more)


def test_datalist_and_checks_accept_it(folder, cache, tmp_path):
    data = flow(folder, cache, tmp_path).parser.get_parsed_content("train#dataset#data")
    assert [Path(case["image"]).name for case in data] == [f"{TRAINED}.nii.gz"]


def test_preprocessing_resamples_clips_and_keeps_the_tumour(folder, cache, scan, tmp_path):
    dataset = flow(folder, cache, tmp_path).parser.get_parsed_content("train#dataset")
    case = dataset._load_cache_item(0)
    image, label = case["image"], case["label"]
    assert image.shape == label.shape
    assert np.allclose(image.pixdim, TASK.spacing, atol=1e-3)
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    window = [(bound[0] - TASK.mean[0]) / TASK.std[0] for bound in (TASK.p0_5, TASK.p99_5)]
    assert [float(image.min()), float(image.max())] == pytest.approx(window, abs=1e-4)
    assert label.dtype == torch.uint8
    assert set(label.unique().tolist()) == {0, 1}
    before = nib.load(scan / "label.nii.gz")
    tumour_mm3 = np.count_nonzero(before.dataobj) * np.prod(before.header.get_zooms())
    assert float(label.sum() * np.prod(TASK.spacing)) == pytest.approx(tumour_mm3, rel=0.05)


def test_half_of_the_patches_are_cut_on_the_tumour(folder, cache, tmp_path):
    """Patches are much smaller than the lung: one that holds the tumour was put there."""
    dataset = flow(folder, cache, tmp_path).parser.get_parsed_content("train#dataset")
    dataset.cache_num, dataset._cache = 1, [dataset._load_cache_item(0)]
    patches = [dataset[epoch] for epoch in range(12)]
    patches = [patch[0] if isinstance(patch, list) else patch for patch in patches]
    assert all(patch["image"].shape == (1, *PATCH) for patch in patches)
    with_tumour = sum(bool(patch["label"].any()) for patch in patches)
    assert 3 <= with_tumour <= 10


def test_a_training_step_with_the_bundles_network(folder, cache, tmp_path):
    flow(folder, cache, tmp_path, epochs=1, val_interval=2).run()
    weights = torch.load(tmp_path / "models" / "model_final.pt", weights_only=True)
    assert all(value.isfinite().all() for value in weights.values())


def test_whole_volume_inference_in_the_scans_own_grid(folder, tmp_path):
    weights = save_unet(tmp_path / "weights.pt", NETWORK)
    folders = {"dataset_dir": str(folder), "output_dir": str(tmp_path), "weights": str(weights)}
    workflow(BUNDLE, ["inference"], network_def=NETWORK, **folders).run()
    file = sorted((folder / "imagesTs").iterdir())[1]
    mask, image = nib.load(tmp_path / file.name), nib.load(file)
    assert mask.shape == image.shape
    assert np.array_equal(mask.affine, image.affine)
    assert set(np.unique(mask.dataobj)) == {0, 1}
