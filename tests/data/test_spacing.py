"""Resampling: the spacing asked for, by the published rule, and exactly back."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from data_volumes import volume
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, Invertd, LoadImaged, Orientationd

from seat_components.data import SafeSpacingd, fold_datalist

ISOTROPIC = ((0.9, 1.3, 1.1), (1.0, 1.0, 1.0))
THICK_SLICES = ((0.7, 0.7, 4.0), (0.8, 0.8, 1.25))
THICK_TARGET = ((0.7, 0.8, 1.5), (0.8, 0.8, 5.0))
CASES = [ISOTROPIC, THICK_SLICES, THICK_TARGET]
Spacing = tuple[float, float, float]


def sample(shape: tuple[int, ...], codes: str = "RAS", spacing: Spacing = (1.0, 1.0, 1.0)) -> dict[str, MetaTensor]:
    image = volume(shape, codes, spacing)
    label = (image[:1] * 3).floor()
    return {"image": image, "label": label}


@pytest.mark.parametrize(("before", "after"), CASES)
def test_the_result_has_the_spacing_and_whole_labels(before: Spacing, after: Spacing) -> None:
    result = SafeSpacingd(["image", "label"], after, mode=[3, "nearest"])(sample((1, 21, 17, 12), spacing=before))
    for key in ("image", "label"):
        assert result[key].pixdim.tolist() == pytest.approx(after)
    assert result["image"].shape == result["label"].shape
    assert set(result["label"].unique().tolist()) <= {0.0, 1.0, 2.0}


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PIR", "ASL", "LPI"])
@pytest.mark.parametrize(("before", "after"), CASES)
def test_invertd_gives_back_shape_and_affine(codes: str, before: Spacing, after: Spacing) -> None:
    transform = Compose(
        [
            Orientationd(["image", "label"], axcodes="RAS", labels=None),
            SafeSpacingd(["image", "label"], after, mode=[3, "nearest"]),
        ]
    )
    original = sample((1, 13, 11, 9), codes, before)
    result = transform(original)
    probabilities = torch.softmax(torch.randn(3, *result["image"].shape[1:]), dim=0)
    result["pred"] = MetaTensor(probabilities, meta=result["image"].meta)
    back = Invertd("pred", transform, orig_keys="image", nearest_interp=False)(result)["pred"]
    assert back.shape == (3, 13, 11, 9)
    assert torch.allclose(back.affine, original["image"].affine, atol=1e-9)
    assert back.min() >= 0
    assert torch.allclose(back.sum(dim=0), torch.ones(13, 11, 9), atol=1e-5)
    label = Invertd("label", transform, nearest_interp=True)(result)["label"]
    assert set(label.unique().tolist()) <= {0.0, 1.0, 2.0}


def test_a_reoriented_mask_returns_voxel_for_voxel() -> None:
    transform = Compose(
        [Orientationd("label", axcodes="RAS", labels=None), SafeSpacingd("label", (1, 1, 1), "nearest")]
    )
    original = sample((1, 6, 5, 4), "PIR")
    back = Invertd("label", transform)(transform({"label": original["label"]}))["label"]
    assert torch.equal(back.as_tensor(), original["label"].as_tensor())


def test_a_volume_that_has_the_spacing_passes_unchanged() -> None:
    original = sample((2, 6, 5, 4), spacing=(0.8, 0.8, 5.0))
    result = SafeSpacingd("image", (0.8, 0.8, 5.0))(original)
    assert torch.equal(result["image"].as_tensor(), original["image"].as_tensor())


def test_no_new_values_between_thick_slices() -> None:
    image = volume((1, 6, 6, 5), spacing=(1.0, 1.0, 4.0))
    image[:] = torch.tensor([0.0, 1.0, 0.0, 7.0, 3.0])  # constant in plane, one value per slice
    thick = SafeSpacingd("image", (1.0, 1.0, 1.0))({"image": image})["image"]
    assert set(thick.unique().tolist()) == {0.0, 1.0, 3.0, 7.0}
    image.affine = torch.diag(torch.tensor([1.0, 1.0, 2.0, 1.0], dtype=torch.float64))
    assert len(SafeSpacingd("image", (1.0, 1.0, 1.0))({"image": image})["image"].unique()) > 4


def test_in_plane_resampling_of_thick_slices_is_cubic() -> None:
    ramp = volume((1, 40, 6, 4), spacing=(1.0, 1.0, 5.0))
    ramp[:] = (torch.arange(40.0) ** 2).reshape(1, 40, 1, 1)
    result = SafeSpacingd("image", (0.5, 1.0, 5.0))({"image": ramp})["image"][0, :, 3, 2]
    position = torch.arange(len(result)) * 0.5
    inner = slice(20, -20)  # away from the border, where the spline must guess
    assert torch.allclose(result.as_tensor()[inner], position[inner] ** 2, atol=1e-2)


def test_image_and_label_end_in_one_shape_although_their_headers_differ_in_the_last_digit() -> None:
    data = sample((1, 20, 20, 20), spacing=(1.05, 1.0, 1.0))
    data["label"].affine = data["label"].affine * 1.0005
    result = SafeSpacingd(["image", "label"], (0.1, 1.0, 1.0), mode=[3, "nearest"])(data)
    assert result["image"].shape == result["label"].shape


def test_other_entries_that_begin_with_the_key_are_left_alone() -> None:
    data = {**sample((1, 6, 5, 4)), "image_path": "scan.nii.gz", "image_meta_dict": {"a": 1}}
    result = SafeSpacingd("image", (2.0, 1.0, 1.0))(data)
    assert (result["image_path"], result["image_meta_dict"]) == ("scan.nii.gz", {"a": 1})


def test_real_volumes_keep_their_voxels_and_the_order_of_their_axes(real_task04: Path) -> None:
    transform = Compose(
        [
            LoadImaged("image"),
            EnsureChannelFirstd("image"),
            Orientationd("image", axcodes="RAS", labels=None),
            SafeSpacingd("image", (1.0, 1.0, 1.0)),
        ]
    )
    for case in fold_datalist(real_task04, "Task04_Hippocampus", section="validation")[:5]:
        stored = nib.load(case["image"]).get_fdata(dtype=np.float32)
        assert np.array_equal(transform({"image": case["image"]})["image"][0].numpy(), stored)
