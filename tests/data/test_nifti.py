"""NIfTI headers: the affine that nibabel calls best, and a remark where a header contradicts itself."""

from __future__ import annotations

import struct

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scan_writing import ANGLES, CODES, SPACINGS, affine_of, noise

from seat_components.data import ScanReader, open_scan
from seat_components.data.slabs import ScanError

KINDS = {"a.nii": nib.Nifti1Image, "a.nii.gz": nib.Nifti1Image, "b.nii.gz": nib.Nifti2Image, "a.hdr": nib.Nifti1Pair}
DTYPES = [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64]


def save(path, array, sform, qform, codes=(1, 1), kind=nib.Nifti1Image, slope=None):
    image = kind(array, None)
    image.set_qform(qform, codes[1])
    image.set_sform(sform, codes[0])
    if slope:
        image.header.set_slope_inter(*slope)
    nib.save(image, path.with_suffix(".img") if path.suffix == ".hdr" else path)
    return path


@given(
    name=st.sampled_from(sorted(KINDS)),
    dtype=st.sampled_from(DTYPES),
    codes=st.tuples(st.sampled_from([0, 1, 2, 4]), st.sampled_from([0, 1, 3])),
    axes=st.tuples(CODES, CODES),
    spacing=SPACINGS,
    degrees=ANGLES,
    shear=st.sampled_from([0.0, 0.3]),
    scaled=st.booleans(),
)
def test_geometry_and_values_are_those_of_nibabel(
    tmp_path_factory, name, dtype, codes, axes, spacing, degrees, shear, scaled
):
    path = tmp_path_factory.mktemp("nifti") / name
    sform, qform = affine_of(axes[0], spacing, degrees, shear), affine_of(axes[1], spacing, degrees[::-1])
    slope = (0.5, -3) if scaled and dtype is np.int16 else None
    save(path, noise(high=200).astype(dtype), sform, qform, codes, KINDS[name], slope)
    image = nib.load(path)
    values, meta = ScanReader().get_data([str(path)])
    assert np.array_equal(values, image.get_fdata(dtype=np.float32))
    assert np.array_equal(meta["affine"], image.affine)
    best = sform if codes[0] else qform if codes[1] else image.header.get_base_affine()
    # The quaternion's first number is a root of 1 - b² - c² - d² in float32: near half a turn it is 5e-4 off.
    assert np.allclose(meta["affine"], best, atol=1e-4 if codes[0] else 1e-3 * max(spacing))


def test_a_quaternion_longer_than_one_matters_to_no_file_with_an_sform(tmp_path, caplog):
    """By rounding alone: b² + c² + d² is 1.0000014, of which nibabel makes an error as soon as it is asked."""
    path = save(tmp_path / "a.nii", noise(high=200), affine_of("LPS", (1, 2, 3)), affine_of("LPS", (1, 2, 3)))
    raw = bytearray(path.read_bytes())
    struct.pack_into("<3f", raw, 256, *[0.57735069] * 3)
    path.write_bytes(raw)
    values, meta = ScanReader().get_data([str(path)])
    assert np.array_equal(values, nib.load(path).get_fdata())
    assert np.array_equal(meta["affine"], affine_of("LPS", (1, 2, 3)))
    assert "has a qform that is no rotation" in caplog.text


def unset_qform(path, pixdim):
    """qform_code 0, the quaternion all zeros, and other spacings in pixdim."""
    raw = bytearray(path.read_bytes())
    struct.pack_into("<4f", raw, 76, 1.0, *pixdim)
    struct.pack_into("<h", raw, 252, 0)
    struct.pack_into("<6f", raw, 256, *[0] * 6)
    path.write_bytes(raw)


@pytest.mark.parametrize("codes", ["LAS", "RPI", "ASR"])
def test_pixdim_that_contradicts_the_sform(tmp_path, caplog, codes):
    affine = affine_of(codes, (1.0, 1.0, 1.0))
    path = save(tmp_path / "a.nii", noise(), affine, affine)
    unset_qform(path, (1.001, 1.001, 1.001))
    for _ in range(2):
        assert np.array_equal(open_scan(path).affine, affine)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: contradicts itself on its spacing: pixdim says 1.001 × 1.001 × 1.001 mm, the sform 1 × 1 × 1 mm. "
        "The sform is taken."
    ]


def test_qform_and_sform_that_disagree(tmp_path, caplog):
    sform = affine_of("RAS", (1.0, 1.0, 2.0))
    near, far = sform.copy(), affine_of("LAS", (1.0, 1.0, 2.0))
    near[0, 3] += 0.09
    assert np.array_equal(open_scan(save(tmp_path / "near.nii", noise(), sform, near)).affine, sform)
    assert not caplog.records
    save(tmp_path / "uncoded.nii", noise(), sform, far, codes=(2, 0))
    assert np.array_equal(open_scan(tmp_path / "uncoded.nii").affine, sform)
    assert not caplog.records, "a qform without code counts for nothing"
    assert np.array_equal(open_scan(save(tmp_path / "far.nii", noise(), sform, far)).affine, sform)
    (record,) = caplog.records
    assert "its sform (axes RAS, first voxel at 7.5, -11.25, 130 mm) and its qform (axes LAS" in record.getMessage()
    assert "up to 12 voxels apart. The sform is taken." in record.getMessage()


def test_a_file_that_states_no_orientation_is_remarked_on(tmp_path, caplog):
    save(tmp_path / "a.nii", noise(), np.eye(4), np.eye(4), codes=(0, 0))
    open_scan(tmp_path / "a.nii")
    assert "states no orientation (sform and qform have code 0): its axes are taken to be LAS" in caplog.text


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("meter", 1000), ("micron", 0.001), ("unknown", 1)])
def test_lengths_in_other_units_become_mm(tmp_path, unit, factor):
    image = nib.Nifti1Image(noise(), affine_of("PIR", (1.0, 2.0, 3.0)))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii.gz")
    volume = open_scan(tmp_path / "a.nii.gz")
    assert np.allclose(volume.affine[:3], factor * image.affine[:3], rtol=1e-6)
    assert np.allclose(volume.spacing, factor * np.array([1.0, 2.0, 3.0]), rtol=1e-6)


def test_analyze_files_are_named(tmp_path):
    nib.save(nib.AnalyzeImage(noise(), np.eye(4)), tmp_path / "a.img")
    with pytest.raises(ScanError, match="Analyze format, which states no orientation"):
        open_scan(tmp_path / "a.hdr")


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_voxels_cannot_begin_within_the_header(tmp_path, kind):
    path = tmp_path / "a.nii"
    nib.save(kind(np.ones((4, 5, 6), np.int16), np.eye(4)), path)
    content = bytearray(path.read_bytes())
    place, size = (108, 4) if kind is nib.Nifti1Image else (168, 8)
    content[place : place + size] = bytes(size)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="voxels begin at byte 0, but it must be"):
        open_scan(path)
