"""Headers that state what no task can mean: spacings, affines and values are refused by file, value and rule."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from data_volumes import affine_of, check, refusal, save
from hypothesis import given
from hypothesis import strategies as st
from monai.transforms import Compose, EnsureChannelFirst, LoadImage, Orientation

from seat_components.data import SafeSpacingd, check_cases
from seat_components.data.geometry import Survival
from seat_components.refusals import RefusalError

SHAPE = (9, 10, 7)
VALUES = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.int16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stated")


def grid(folder, spacing, shape=SHAPE, codes="RAS", label=None):
    """A case of random values with this spacing, and a label."""
    random = np.random.default_rng(1)
    label = random.integers(0, 3, shape).astype(np.uint8) if label is None else label
    affine = affine_of(codes, spacing)
    return {
        "image": save(random.normal(100, 20, shape).astype(np.int16), folder / "grid.nii.gz", affine),
        "label": save(label, folder / "grid_label.nii.gz", affine),
    }


@pytest.mark.parametrize("scale", [1e-30, 0.001, 0.1, 100.0, 1000.0, 1e30])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0,), (2,), (0, 1)])
def test_spacings_in_another_unit_are_refused_by_file_value_and_rule(folder, scale, axes):
    spacing = tuple(scale if axis in axes else 1.0 for axis in range(3))
    if scale == 0.1 and len(axes) < 3:
        return  # thin slices: a scan can be that
    case = grid(folder, spacing)
    with pytest.raises(RefusalError, match=r"^2 of the files of 1 case") as caught:
        check_cases([case], range(3), 1, progress=False)
    assert f"{scale:g}" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((200, 200, 200), (0.05, 0.05, 0.05)),  # micro-CT
        ((40, 40, 9), (0.3, 0.3, 10.0)),  # thick slices
        ((40, 40, 1), (0.7, 0.7, 5.0)),  # one slice
        ((16, 16, 90), (8.0, 8.0, 20.0)),  # coarse and long
    ],
)
def test_spacings_of_scans_pass(folder, shape, spacing):
    check_cases([grid(folder, spacing, shape)], range(3), 1, progress=False)


@pytest.mark.parametrize(
    ("spacing", "pixdim", "rule"),
    [
        ((1.0, 1.0, 1.0), (1.0, 1.0, 8.0), "less than one voxel would be left"),
        ((20.0, 20.0, 20.0), (0.1, 0.1, 0.1), "voxels, but 1073741824 is the most allowed"),
    ],
)
def test_what_resampling_would_give_is_bounded_before_and_while_it_is_done(folder, spacing, pixdim, rule):
    case = grid(folder, spacing)
    with pytest.raises(RefusalError, match=rule):
        check_cases([case], range(3), 1, progress=False, pixdim=pixdim)
    sample = {"image": LoadImage(ensure_channel_first=True)(case["image"])}
    with pytest.raises(RefusalError, match=rf"grid\.nii\.gz.*{rule}"):
        SafeSpacingd("image", pixdim)(sample)


@given(data=st.data())
def test_a_label_is_said_to_vanish_exactly_where_resampling_leaves_nothing(folder, data):
    shape = data.draw(st.tuples(*[st.integers(8, 14)] * 3))
    spacing = data.draw(st.tuples(*[st.sampled_from([0.7, 1.0, 1.3, 2.1])] * 3))
    pixdim = data.draw(st.tuples(*[st.sampled_from([0.9, 1.7, 2.9, 3.7])] * 3))
    codes = data.draw(st.sampled_from(["RAS", "LPS", "PIR", "ASL"]))
    label = np.zeros(shape, np.uint8)
    label[data.draw(st.tuples(*[st.integers(0, size - 1) for size in shape]))] = 1
    case = grid(folder, spacing, shape, codes, label)
    survival = Survival(shape, affine_of(codes, spacing), pixdim)
    for start in range(0, shape[2], 4):
        survival.add(label[..., start : start + 4])
    volume = Compose([LoadImage(), EnsureChannelFirst(), Orientation(axcodes="RAS", labels=None)])(case["label"])
    resampled = SafeSpacingd("label", pixdim, "nearest")({"label": volume})["label"]
    assert survival.before == 1
    assert not (survival.vanishes and bool(resampled.any()))
    steps = [pixdim[axis] / float(volume.pixdim[axis]) for axis in range(3)]
    ties = any(abs(place * step % 1 - 0.5) < 0.01 for step in steps for place in range(max(shape)))
    assert ties or survival.vanishes == (not bool(resampled.any()))


def test_a_label_that_vanishes_at_the_spacing_of_the_task_is_refused(folder):
    label = np.zeros((20, 20, 20), np.uint8)
    label[5, 5, 5] = 1
    case = grid(folder, (0.5, 0.5, 0.5), (20, 20, 20), label=label)
    check_cases([case], range(3), 1, progress=False)
    with pytest.raises(RefusalError, match=r"1 foreground voxel.*none of which is left at the spacing of the task"):
        check_cases([case], range(3), 1, progress=False, pixdim=(2.0, 2.0, 2.0))


def plane(tilt):
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 2] = [np.cos(tilt), 0, np.sin(tilt)]
    return affine


@pytest.mark.parametrize("tilt", [0.0, 1e-9, 0.01, 0.09])
def test_an_affine_whose_axes_lie_in_a_plane_is_refused(folder, tilt):
    file = folder / "plane.nii"
    image = nib.Nifti1Image(VALUES, plane(tilt))
    image.header.set_sform(plane(tilt), 1)
    image.header["qform_code"] = 0
    image.to_filename(file)
    assert "lie in one plane" in refusal(file)


def test_a_sheared_affine_as_of_a_tilted_gantry_passes(folder):
    image = nib.Nifti1Image(VALUES, plane(np.pi / 3))
    nib.save(image, folder / "sheared.nii")
    check(folder / "sheared.nii")


def scaled(slope, inter=0.0):
    image = nib.Nifti1Image(VALUES, np.eye(4))
    image.header.set_slope_inter(slope, inter)
    return image


def of(values):
    return nib.Nifti1Image(values, np.eye(4), dtype=values.dtype)


def lifted(dtype, offset):
    return of(VALUES.astype(dtype) + dtype(offset))


BEYOND = {
    "float64": (of(VALUES * 1e36), "float32 computes safely"),
    "float64, negative": (of(VALUES * -1e300), "float32 computes safely"),
    "a slope": (scaled(1e36), "float32 computes safely"),
    "an offset": (scaled(1.0, 1e38), "float32 computes safely"),
    "int64": (lifted(np.int64, 2**62), "tells fewer than 256 of them apart"),
    "uint64": (lifted(np.uint64, 2**63), "tells fewer than 256 of them apart"),
    "int32": (lifted(np.int32, 2**30), "tells fewer than 256 of them apart"),
    "complex": (of(VALUES.astype(np.complex64)), "must be real numbers"),
}


@pytest.mark.parametrize("kind", BEYOND)
def test_values_that_float32_cannot_hold_or_tell_apart_are_refused(folder, kind):
    image, rule = BEYOND[kind]
    nib.save(image, folder / "beyond.nii.gz")
    assert rule in refusal(folder / "beyond.nii.gz")


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.float64, np.float32, np.uint8])
def test_values_of_every_kind_that_float32_holds_pass(folder, dtype):
    nib.save(of(np.abs(VALUES).astype(dtype)), folder / "held.nii.gz")
    check(folder / "held.nii.gz")
