"""Damaged files and headers that state nonsense are refused by file and rule, never read as something else."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
from data_volumes import affine_of, save
from hypothesis import given
from hypothesis import strategies as st
from monai.transforms import Compose, EnsureChannelFirst, LoadImage, Orientation

from seat_components.data import SafeSpacingd, ScanReader, check_cases, open_scan
from seat_components.data.survival import Survival
from seat_components.refusals import RefusalError

SHAPE = (9, 10, 7)
VALUES = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.int16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damage")


def check(image, **options):
    check_cases([{"image": str(image)}], (), 1, progress=False, **options)


def refusal(image, **options):
    with pytest.raises(RefusalError) as caught:
        check(image, **options)
    assert str(image) in str(caught.value)
    return str(caught.value)


def written(folder, kind):
    file = folder / f"good.{kind}"
    if not file.exists():
        if kind == "nii.gz":
            save(VALUES, file)
        else:
            itk.imwrite(itk.image_from_array(np.ascontiguousarray(VALUES.T)), str(file), compression=True)
    return file


def values_of(file):
    return open_scan(file).whole(np.int16)


@given(place=st.integers(0), bit=st.integers(0, 7))
@pytest.mark.parametrize("kind", ["nii.gz", "nrrd", "mha"])
def test_a_flipped_bit_is_refused_or_changes_no_voxel(folder, kind, place, bit):
    good = written(folder, kind).read_bytes()
    # Text headers have no checksum.
    start = 0 if kind == "nii.gz" else max(good.find(b"\n\n") + 2, good.find(b"LOCAL\n") + 6)
    content = bytearray(good)
    content[start + place % (len(good) - start)] ^= 1 << bit
    file = folder / f"flipped.{kind}"
    file.write_bytes(content)
    try:
        check(file)
    except RefusalError as error:
        assert str(file) in str(error)
        return
    assert np.array_equal(values_of(file), VALUES)


@given(kept=st.integers(0))
@pytest.mark.parametrize("kind", ["nii.gz", "nrrd", "mha"])
def test_a_file_that_is_cut_anywhere_is_refused(folder, kind, kept):
    good = written(folder, kind).read_bytes()
    file = folder / f"cut.{kind}"
    file.write_bytes(good[: kept % len(good)])
    refusal(file)


@given(tail=st.binary(min_size=1).filter(lambda tail: tail.strip(b"\0")))
def test_bytes_behind_the_gzip_data_are_refused(folder, tail):
    file = folder / "tail.nii.gz"
    file.write_bytes(written(folder, "nii.gz").read_bytes() + tail)
    refusal(file)


def test_what_unpacks_to_the_same_passes(folder):
    plain = gzip.decompress(written(folder, "nii.gz").read_bytes())
    file = folder / "same.nii.gz"
    for packed in (
        gzip.compress(plain[:500]) + gzip.compress(plain[500:]),
        gzip.compress(plain) + b"\0" * 10,
        gzip.compress(plain, compresslevel=0),
    ):
        file.write_bytes(packed)
        check(file)
        assert np.array_equal(values_of(file), VALUES)


def test_a_name_that_says_gzip_of_a_file_that_is_none(folder):
    file = folder / "plain.nii.gz"
    file.write_bytes(gzip.decompress(written(folder, "nii.gz").read_bytes()))
    assert "something else in it than gzip data" in refusal(file)
    text = folder / "text.nii.gz"
    text.write_bytes(gzip.compress(b"no image"))
    assert "does not begin with the header of a NIfTI file" in refusal(text)


def damaged_label(folder):
    label = np.random.default_rng(0).integers(0, 3, SHAPE).astype(np.uint8)
    file = Path(save(label, folder / "label.nii.gz"))
    content = bytearray(file.read_bytes())
    content[-6] ^= 1  # of the checksum
    file.write_bytes(content)
    return file


def test_a_label_is_refused_where_it_is_read_too(folder):
    file = damaged_label(folder)
    reader = ScanReader(labels=True)
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        reader.get_data(reader.read(str(file)))
    assert "its checksum" in refusal(file)


def header_of(plain, **fields):
    header = nib.Nifti1Header(plain[:348])
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + plain[348:]


LIES = {
    "an axis": {"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]},
    "all together": {"dim": [3, 8000, 8000, 8000, 1, 1, 1, 1]},
    "more than the file": {"dim": [3, 900, 1000, 700, 1, 1, 1, 1]},
    "nothing": {"dim": [3, 0, 10, 7, 1, 1, 1, 1]},
    "seven axes": {"dim": [7, 9, 10, 7, 8000, 8000, 8000, 8000]},
    "a start": {"vox_offset": 1e9},
    "a start before the file": {"vox_offset": -8.0},
    "a start that is no number": {"vox_offset": np.nan},
}


def refusal_and_memory(file):
    """The message, and the bytes that Python's objects took at most before it came."""
    tracemalloc.start()
    message = refusal(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return message, peak


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_states_too_much_is_refused_at_once_and_in_little_memory(folder, suffix, lie):
    plain = header_of(gzip.decompress(written(folder, "nii.gz").read_bytes()), **LIES[lie])
    file = folder / f"lie.{suffix}"
    file.write_bytes(gzip.compress(plain) if suffix == "nii.gz" else plain)
    message, peak = refusal_and_memory(file)
    assert "its header states" in message
    assert peak < 2**24


def test_a_file_that_unpacks_to_far_more_than_its_voxels_is_refused_in_little_memory(folder):
    file = folder / "bomb.nii.gz"
    file.write_bytes(gzip.compress(gzip.decompress(written(folder, "nii.gz").read_bytes()) + b"\0" * 2**26))
    message, peak = refusal_and_memory(file)
    assert "more than its header states" in message
    assert peak < 2**23


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
