"""A label goes where its prepared scan goes, whatever has prepared it."""

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    AdjustContrastd,
    Compose,
    CropForegroundd,
    EnsureChannelFirstd,
    Flipd,
    Lambdad,
    LoadImaged,
    NormalizeIntensityd,
    Orientationd,
    Resized,
    Rotate90d,
    ScaleIntensityd,
    ScaleIntensityRanged,
    Spacingd,
    SpatialCropd,
    SpatialPadd,
    Transposed,
)
from scipy.ndimage import gaussian_filter

from seat_components.foreign.preparing import PreparedCases, as_in_the_file
from seat_components.refusals import RefusalError

# Axes in another order, one of them turned round, and an oblique view.
AFFINES = {
    "plain": np.diag([1.0, 1.0, 1.0, 1.0]),
    "other axes": np.array([[0, 0, 3.0, -5], [-1.2, 0, 0, 40], [0, 0.9, 0, 7], [0, 0, 0, 1]]),
    "oblique": np.array([[0.96, -0.28, 0, 3], [0.28, 0.96, 0, -8], [0, 0, 2.5, 1], [0, 0, 0, 1]]),
}
ONE = {"keys": "image"}
WAYS = {
    "nothing": [],
    "orientation": [Orientationd(**ONE, axcodes="RAS", labels=None)],
    "spacing": [Spacingd(**ONE, pixdim=(0.83, 1.37, 1.71), mode="nearest")],
    "turns": [Flipd(**ONE, spatial_axis=1), Rotate90d(**ONE, spatial_axes=(0, 2))],
    "cut and pad": [SpatialCropd(**ONE, roi_start=(2, 1, 0), roi_end=(18, 20, 9)), SpatialPadd(**ONE, spatial_size=30)],
    "foreground": [CropForegroundd(**ONE, source_key="image")],
    "size": [Resized(**ONE, spatial_size=(17, 23, 11), mode="nearest-exact")],
    "all": [
        Orientationd(**ONE, axcodes="LPS", labels=None),
        Spacingd(**ONE, pixdim=(1.31, 1.31, 1.31), mode="nearest"),
        CropForegroundd(**ONE, source_key="image", margin=2),
        SpatialPadd(**ONE, spatial_size=(28, 28, 28)),
    ],
}


def written(folder, affine, shape=(19, 21, 10)):
    """A scan that is its own label: three boxes, and background at the border."""
    label = np.zeros(shape, np.uint8)
    label[3:9, 4:12, 2:7], label[9:16, 5:18, 3:8], label[5:8, 6:9, 4:6] = 1, 2, 3
    return saved(folder, affine, image=label.astype(np.float32), label=label)


def saved(folder, affine, **volumes):
    """The files of one case."""
    for name, values in volumes.items():
        nibabel.save(nibabel.Nifti1Image(values, affine), folder / f"{name}.nii.gz")
    return [{name: str(folder / f"{name}.nii.gz") for name in volumes}]


@pytest.mark.parametrize("affine", AFFINES)
@pytest.mark.parametrize("way", WAYS)
def test_a_scan_that_is_its_label_stays_its_label(way, affine, tmp_path):
    cases = written(tmp_path, AFFINES[affine])
    transforms = Compose([LoadImaged(**ONE), EnsureChannelFirstd(**ONE), *WAYS[way]])
    found = PreparedCases(cases, (transforms, "image"), patch=None)[0]
    assert found["image"].shape == found["label"].shape
    assert len(found["label"].unique()) == 4
    apart = (found["image"].as_tensor() != found["label"]).double().mean()
    # A voxel that lies half way between two may go to either.
    assert apart < 2e-3


def test_patches_lie_around_the_foreground_and_structures_are_made_of_values(tmp_path):
    cases = written(tmp_path, AFFINES["other axes"])
    whole = PreparedCases(cases, as_in_the_file(), patch=None)[0]
    patch = PreparedCases(cases, as_in_the_file(), patch=(8, 30, 8), structures=[(1, 3), (2,), (3,)])[0]
    assert patch["image"].shape == (1, 8, 30, 8)
    assert patch["label"].shape == (3, 8, 30, 8)
    middle = whole["label"][0].nonzero().double().mean(dim=0)
    own = patch["label"].amax(dim=0).nonzero().double().mean(dim=0)
    assert (own[[0, 2]] - 3.5).abs().max() < 1.5, middle
    values = patch["image"].as_tensor()[0]
    for channel, made_of in zip(patch["label"], [(1, 3), (2,), (3,)], strict=True):
        assert torch.equal(channel.bool(), torch.isin(values, torch.tensor(made_of)))
    padded = PreparedCases(cases, as_in_the_file(), None, least=(32, 8, 8))[0]
    assert padded["image"].shape == (1, 32, 21, 10)


def test_channels_behind_the_axes_of_space_are_refused(tmp_path):
    """As where a preprocessing stacks a file per channel, and gets one of several channels."""
    (case,) = written(tmp_path, AFFINES["plain"])
    nibabel.save(nibabel.Nifti1Image(np.ones((19, 21, 10, 4), np.float32), AFFINES["plain"]), case["image"])
    assert PreparedCases([case], as_in_the_file(), None)[0]["image"].shape == (4, 19, 21, 10)
    with pytest.raises(RefusalError, match=r"4 channels, .*\(19, 21, 10, 4\).*one file per channel"):
        PreparedCases([case], (LoadImaged("image"), "image"), None)[0]


SILENT = {
    "turned round": [Lambdad(**ONE, func=lambda scan: MetaTensor(scan.as_tensor().flip(1), affine=scan.affine))],
    "swapped": [Transposed(**ONE, indices=(0, 3, 2, 1))],
    "turned after a cut": [
        SpatialCropd(**ONE, roi_start=(2, 1, 0), roi_end=(18, 20, 9)),
        Lambdad(**ONE, func=lambda scan: MetaTensor(scan.as_tensor().flip(1, 3), affine=scan.affine)),
    ],
    "swapped, then resampled": [
        Transposed(**ONE, indices=(0, 2, 1, 3)),
        Spacingd(**ONE, pixdim=(0.83, 1.37, 1.71), mode="bilinear"),
    ],
}


def scan_with_label(folder, affine, shape=(20, 20, 14)):
    """Tissue without symmetry, and a label of a part of it."""
    tissue = gaussian_filter(np.random.default_rng(3).standard_normal(shape), 2)
    return saved(folder, affine, image=tissue.astype(np.float32), label=(tissue > 0).astype(np.uint8))


@pytest.mark.parametrize("affine", AFFINES)
@pytest.mark.parametrize("way", SILENT)
def test_voxels_that_are_moved_without_a_word_are_noticed(way, affine, tmp_path):
    cases = scan_with_label(tmp_path, AFFINES[affine])
    load, key = as_in_the_file()
    with pytest.raises(RefusalError, match="moves voxels without saying so"):
        PreparedCases(cases, (Compose([load, *SILENT[way]]), key), None)[0]


INTENSITIES = {
    "as they are": [],
    "normalised": [NormalizeIntensityd(**ONE)],
    "a window": [ScaleIntensityRanged(**ONE, a_min=-0.1, a_max=0.1, b_min=0, b_max=1, clip=True)],
    "upside down": [ScaleIntensityd(**ONE, minv=1, maxv=0)],
    "gamma": [ScaleIntensityd(**ONE), AdjustContrastd(**ONE, gamma=3)],
    "constant": [Lambdad(**ONE, func=torch.zeros_like)],
}


@pytest.mark.parametrize("affine", AFFINES)
@pytest.mark.parametrize("intensities", INTENSITIES)
@pytest.mark.parametrize("way", ["nothing", "turns", "all"])
def test_what_happens_to_intensities_is_no_movement(way, intensities, affine, tmp_path):
    cases = scan_with_label(tmp_path, AFFINES[affine])
    load, key = as_in_the_file()
    assert PreparedCases(cases, (Compose([load, *WAYS[way], *INTENSITIES[intensities]]), key), None)[0]
