"""Laws of the masks that inference writes: the scan's own grid and header, whatever they are; labels in place."""

import resource

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import UNET, unet
from scan_files import Geometry, above_mean, infer, noise, save_nifti
from threshold_network import network_def

from seat_components.bundles.render import write_bundle
from seat_components.data import write_phantom
from seat_components.inference import MaskWriter
from seat_components.refusals import RefusalError
from seat_components.tasks import load_task

ORIENTATIONS = ["RAS", "LAS", "LPI", "PIR", "ASR", "SLA"]
# Odd and even, below and above the patch of 16 voxels along each axis.
SHAPES = [(17, 23, 11), (9, 30, 16), (33, 7, 21)]
SPACINGS = [(1.0, 1.0, 1.0), (0.71, 1.3, 3.1), (2.4, 0.9, 0.9)]
TURNS = [(0.0, 0.0), (17.0, -9.0), (0.0, 33.0)]
CODES = [(1, 1), (2, 0), (0, 1), (4, 3), (0, 0)]
UNITS = [("mm", "sec"), ("mm", "unknown"), ("unknown", "unknown")]

GEOMETRIES = {
    f"{codes}{number}": (
        Geometry(codes, SPACINGS[number], TURNS[(number + index) % 3]),
        SHAPES[(number + index) % 3],
        CODES[(2 * number + index) % 5],
        UNITS[(number + index) % 3],
    )
    for index, codes in enumerate(ORIENTATIONS)
    for number in range(3)
}
SAME_SPACING = {f"{codes}{turn}": Geometry(codes, degrees=TURNS[turn]) for codes in ORIENTATIONS for turn in range(3)}


@pytest.fixture(scope="module")
def unet_masks(bundle, tmp_path_factory):
    """The folders of scans in every geometry, and of the masks that a random UNet gives them."""
    scans, masks = tmp_path_factory.mktemp("scans"), tmp_path_factory.mktemp("unet") / "masks"
    for seed, (name, (geometry, shape, codes, units)) in enumerate(GEOMETRIES.items()):
        save_nifti(noise(shape, seed), geometry.affine, scans / f"{name}.nii.gz", *codes, units)
    infer(bundle, scans, masks, (UNET, unet().state_dict()))
    return scans, masks


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_mask_has_its_scans_grid_and_header(unet_masks, name):
    scan, mask = (nib.load(folder / f"{name}.nii.gz") for folder in unet_masks)
    assert mask.shape == scan.shape
    assert np.array_equal(mask.affine, scan.affine)
    for form in ("get_sform", "get_qform"):
        for ours, theirs in zip(getattr(mask, form)(coded=True), getattr(scan, form)(coded=True), strict=True):
            assert np.array_equal(ours, theirs), form
    assert mask.header.get_xyzt_units() == scan.header.get_xyzt_units()
    assert np.array_equal(mask.header.get_zooms(), scan.header.get_zooms())
    assert mask.get_data_dtype() == np.uint8
    assert set(np.unique(mask.dataobj)) <= {0, 1, 2}


def test_a_mask_per_scan_and_nothing_else(unet_masks):
    assert sorted(file.name for file in unet_masks[1].glob("*.nii.gz")) == sorted(
        f"{name}.nii.gz" for name in GEOMETRIES
    )


def test_the_random_network_has_something_to_say(unet_masks):
    values = [np.unique(nib.load(file).dataobj) for file in unet_masks[1].glob("*.nii.gz")]
    assert all(len(found) > 1 for found in values)


@pytest.fixture(scope="module")
def thresholds(bundle, tmp_path_factory):
    """Masks of a network that thresholds, of scans that need no resampling."""
    scans, masks = tmp_path_factory.mktemp("scans"), tmp_path_factory.mktemp("threshold") / "masks"
    for seed, (name, geometry) in enumerate(SAME_SPACING.items()):
        save_nifti(noise(SHAPES[seed % 3], seed), geometry.affine, scans / f"{name}.nii.gz")
    infer(bundle, scans, masks)
    return scans, masks


@pytest.mark.parametrize("name", SAME_SPACING)
def test_every_voxel_gets_its_own_label(thresholds, name):
    scan, mask = (np.asarray(nib.load(folder / f"{name}.nii.gz").dataobj) for folder in thresholds)
    assert np.array_equal(mask, above_mean(scan))


def test_labels_stay_in_place_through_resampling(bundle, tmp_path):
    """A ball is found where it lies, up to its surface, when the scan's voxels are not the network's."""
    geometry = Geometry("PIR", (0.7, 1.6, 1.2), (10.0, 20.0))
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in (41, 25, 31)), indexing="ij"), axis=-1)
    distance = np.linalg.norm((grid - [14, 9, 20]) * geometry.spacing, axis=-1)
    scan = (1000 * (distance < 6)).astype(np.int16)
    (tmp_path / "scans").mkdir()
    save_nifti(scan, geometry.affine, tmp_path / "scans" / "ball.nii.gz")
    infer(bundle, tmp_path / "scans", tmp_path / "masks")
    mask = np.asarray(nib.load(tmp_path / "masks" / "ball.nii.gz").dataobj)
    assert np.array_equal(mask[np.abs(distance - 6) > 2], scan[np.abs(distance - 6) > 2] > 0)


def test_an_integer_scan_with_slope_and_intercept(bundle, tmp_path):
    """The header's scaling belongs to the scan's intensities, not to the labels."""
    (tmp_path / "scans").mkdir()
    image = nib.Nifti1Image(noise((12, 13, 14)), np.eye(4))
    image.header.set_slope_inter(0.37, -1024)
    image.header["cal_max"] = 900
    nib.save(image, tmp_path / "scans" / "scaled.nii")
    infer(bundle, tmp_path / "scans", tmp_path / "masks")
    mask = nib.load(tmp_path / "masks" / "scaled.nii.gz")
    stored = nib.load(tmp_path / "scans" / "scaled.nii").dataobj.get_unscaled()
    assert np.array_equal(mask.get_fdata(), above_mean(stored))
    assert mask.header["cal_max"] == 0


def test_a_scan_of_four_channels_gets_a_mask_of_three_dimensions(tmp_path):
    task = load_task("Task01_BrainTumour")
    write_phantom(task, tmp_path / "data", cases=(1, 1))
    # A header that says nothing is as good as any: these scans lie askew.
    affine = Geometry("LPS", task.spacing, (5.0, 0.0)).affine
    for file in (tmp_path / "data" / "imagesTs").iterdir():
        save_nifti(np.asarray(nib.load(file).dataobj)[:41, :37, :29], affine, file, sform=2, qform=1)
    rendered = write_bundle(task.name, tmp_path / "bundles")
    state = {"threshold": torch.zeros(())}
    infer(rendered, tmp_path / "data", tmp_path / "masks", (network_def(4), state))
    for file in (tmp_path / "data" / "imagesTs").iterdir():
        scan, mask = nib.load(file), nib.load(tmp_path / "masks" / file.name)
        assert mask.shape == scan.shape[:3] == (41, 37, 29)
        assert np.array_equal(mask.affine, scan.affine)
        assert [int(mask.header[code]) for code in ("sform_code", "qform_code")] == [2, 1]
        assert np.array_equal(mask.dataobj, above_mean(np.asarray(scan.dataobj)[..., 0], task.name))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_mask_that_the_disk_has_no_room_for_is_named_and_leaves_nothing(tmp_path, ending):
    def write(file):
        writer = MaskWriter()
        writer.set_data_array(np.random.default_rng(0).integers(0, 3, (1, 40, 40, 40)))
        writer.set_metadata({})
        writer.write(file)

    write(tmp_path / f"first{ending}")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(RefusalError, match=f"second{ending} cannot be written: File too large"):
            write(tmp_path / f"second{ending}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [file.name for file in tmp_path.iterdir()] == [f"first{ending}"]
    assert nib.load(tmp_path / f"first{ending}").shape == (40, 40, 40)
