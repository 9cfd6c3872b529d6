"""A label goes where its prepared scan goes, whatever has prepared it."""

import nibabel
import numpy as np
import pytest
import torch
from monai.transforms import (
    Compose,
    CropForegroundd,
    EnsureChannelFirstd,
    Flipd,
    LoadImaged,
    Orientationd,
    Resized,
    Rotate90d,
    Spacingd,
    SpatialCropd,
    SpatialPadd,
)

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
    for name, values in (("image", label.astype(np.float32)), ("label", label)):
        nibabel.save(nibabel.Nifti1Image(values, affine), folder / f"{name}.nii.gz")
    return [{name: str(folder / f"{name}.nii.gz") for name in ("image", "label")}]


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
