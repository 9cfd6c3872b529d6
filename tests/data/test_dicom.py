"""DICOM slices are a volume if they are stacked evenly, whatever their order; else refused with the numbers."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, Sequence
from scan_writing import ANGLES, CODES, SPACINGS, affine_of, dicom_geometry, noise, write_frames, write_slices

from seat_components.data import open_scan
from seat_components.data.dicom_stack import Slice, stack_slices
from seat_components.data.slabs import ScanError

AXIAL = affine_of("LPS", (1.0, 1.0, 1.0))
SHAPE = (7, 6, 10)


def refused(path, **options):
    with pytest.raises(ScanError) as caught:
        list(open_scan(path, **options).slabs())
    return str(caught.value)


def slices_of(affine, count, moved=None):
    origin, orientation, pixel, step = dicom_geometry(affine)
    positions = [origin + number * step + (moved or {}).get(number, 0) for number in range(count)]
    return [
        Slice(f"IM{number}", position, np.reshape(orientation, (2, 3)), tuple(pixel), (6, 7))
        for number, position in enumerate(positions)
    ]


GEOMETRY = {"codes": CODES, "spacing": SPACINGS, "degrees": ANGLES}


@given(**GEOMETRY, count=st.integers(2, 12), seed=st.integers(0, 99))
def test_any_order_of_even_slices_gives_the_one_volume(codes, spacing, degrees, count, seed):
    affine = affine_of(codes, spacing, degrees)
    slices = slices_of(affine, count)
    order = np.random.default_rng(seed).permutation(count)
    places, found = stack_slices([slices[index] for index in order])
    names = [int(order[index]) for (index,) in places]
    for place, number in enumerate(names):
        assert np.allclose(found @ [0, 0, place, 1], affine @ [0, 0, number, 1], atol=1e-6)
    assert np.allclose(found[:3, :2], affine[:3, :2], atol=1e-6)


@given(
    **GEOMETRY,
    count=st.integers(4, 12),
    at=st.integers(0, 11),
    share=st.floats(0.15, 0.9),
    axis=st.integers(0, 2),
)
def test_a_slice_out_of_place_is_always_refused(codes, spacing, degrees, count, at, share, axis):
    affine = affine_of(codes, spacing, degrees)
    _, orientation, pixel, step = dicom_geometry(affine)
    row, column = np.reshape(orientation, (2, 3))
    away = [row * pixel[1], column * pixel[0], step][axis] * share
    with pytest.raises(ScanError, match=r"apart|from where|beside"):
        stack_slices(slices_of(affine, count, {at % count: away}))


@given(**GEOMETRY, count=st.integers(3, 12), left_out=st.integers(1, 10))
def test_a_missing_slice_is_always_refused(codes, spacing, degrees, count, left_out):
    slices = slices_of(affine_of(codes, spacing, degrees), count + 1)
    del slices[1 + left_out % (count - 1)]
    if len(slices) > 2:
        with pytest.raises(ScanError, match="mm apart, the others"):
            stack_slices(slices)


@given(**GEOMETRY, count=st.integers(3, 12), error=st.floats(0, 0.02), seed=st.integers(0, 99))
def test_rounding_of_positions_is_no_fault(codes, spacing, degrees, count, error, seed):
    errors = np.random.default_rng(seed).uniform(-error, error, (count, 3)) * min(spacing)
    moved = dict(enumerate(errors))
    places, _ = stack_slices(slices_of(affine_of(codes, spacing, degrees), count, moved))
    assert len(places) == count


def test_a_gap_is_refused_with_its_place(tmp_path):
    files = write_slices(tmp_path / "gap", noise(SHAPE), AXIAL)
    files[5].unlink()
    message = refused(tmp_path / "gap")
    assert "slices 5 and 6 lie 2.0 mm apart, the others 1.0" in message


def test_gantry_tilt_is_refused_with_its_angle(tmp_path):
    origin, *_ = dicom_geometry(AXIAL)
    write_slices(
        tmp_path / "tilt",
        noise(SHAPE),
        AXIAL,
        ImagePositionPatient=lambda n: (origin + np.array([0, 0.25 * n, n])).tolist(),
    )
    assert "gantry tilt of 14.0°" in refused(tmp_path / "tilt")


def test_changing_spacing_is_refused(tmp_path):
    origin, *_ = dicom_geometry(AXIAL)
    write_slices(
        tmp_path / "a",
        noise(SHAPE),
        AXIAL,
        ImagePositionPatient=lambda n: (origin + np.array([0, 0, n + 0.012 * n**2])).tolist(),
    )
    assert "changing spacing" in refused(tmp_path / "a")


def test_two_passes_in_one_series_are_refused_and_exact_duplicates_are_dropped(tmp_path, caplog):
    write_slices(tmp_path / "a", noise(SHAPE), AXIAL, AcquisitionNumber=1)
    write_slices(
        tmp_path / "a",
        noise(SHAPE)[..., 4:6],
        AXIAL,
        first=50,
        ImagePositionPatient=lambda n: (dicom_geometry(AXIAL)[0] + [0, 0, 4 + n]).tolist(),
    )
    assert np.array_equal(open_scan(tmp_path / "a").whole(), noise(SHAPE))
    assert "holds one slice twice (IM0005.dcm and IM0050.dcm); one of them is dropped" in caplog.text
    write_slices(tmp_path / "a", noise(SHAPE, seed=1), AXIAL, first=100, AcquisitionNumber=2)
    message = refused(tmp_path / "a")
    assert "two different slices at one position" in message
    assert "acquisition numbers 1, 2" in message


def test_a_localizer_among_the_slices_is_refused(tmp_path):
    write_slices(tmp_path / "a", noise(SHAPE), AXIAL)
    write_slices(tmp_path / "a", noise((7, 6, 1)), affine_of("PIR", (1.0, 1.0, 1.0)), first=90)
    message = refused(tmp_path / "a")
    assert "2 orientations or sizes in one series, as where a localizer lies among them" in message
    assert "10 slice(s) of 7 × 6 pixels" in message
    assert "such as IM0090.dcm" in message


@pytest.mark.parametrize("element", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_slice_that_does_not_say_where_it_lies_is_named(tmp_path, element):
    files = write_slices(tmp_path / "a", noise(SHAPE), AXIAL)
    header = pydicom.dcmread(files[3])
    delattr(header, element)
    header.save_as(str(files[3]))
    assert f"holds IM0004.dcm, which does not state its {element}" in refused(tmp_path / "a")


def test_one_slice_is_no_volume(tmp_path):
    write_slices(tmp_path / "a", noise((7, 6, 1)), AXIAL)
    assert "1 slice position" in refused(tmp_path / "a")


def test_each_slice_has_its_own_scale(tmp_path):
    write_slices(tmp_path / "a", noise(SHAPE), AXIAL, RescaleSlope=lambda n: 1.0 + 0.5 * n, RescaleIntercept=-1024.0)
    assert np.array_equal(open_scan(tmp_path / "a").whole(), noise(SHAPE) * (1 + 0.5 * np.arange(10)) - 1024)


def test_frames_are_checked_as_slices_are(tmp_path):
    origin, *_, step = dicom_geometry(AXIAL)
    order = range(10)
    write_frames(tmp_path / "gap.dcm", noise(SHAPE), AXIAL, order, position=lambda n: origin + (n + (n > 4)) * step)
    assert "slices 5 and 6 lie 2.0 mm apart" in refused(tmp_path / "gap.dcm")
    write_frames(tmp_path / "twice.dcm", noise(SHAPE), AXIAL, order, position=lambda n: origin + n % 5 * step)
    assert "two different slices at one position (twice.dcm, frame 1 and twice.dcm, frame 6" in refused(
        tmp_path / "twice.dcm"
    )


def test_a_mosaic_and_a_colour_series_are_refused_as_such(tmp_path):
    write_slices(tmp_path / "mosaic", noise(SHAPE), AXIAL, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    assert "a mosaic with all slices side by side" in refused(tmp_path / "mosaic")
    write_slices(tmp_path / "colour", noise(SHAPE), AXIAL, SamplesPerPixel=3)
    assert "an RGB colour image" in refused(tmp_path / "colour")


def test_values_that_gdcm_would_make_others_of_are_refused(tmp_path):
    """HU of MONOCHROME1 are inverted before they are rescaled, and a Modality LUT is left out."""
    write_slices(tmp_path / "inverted", noise(SHAPE), AXIAL, PhotometricInterpretation="MONOCHROME1")
    assert "is MONOCHROME1" in refused(tmp_path / "inverted")
    write_slices(tmp_path / "palette", noise(SHAPE), AXIAL, PhotometricInterpretation="PALETTE COLOR")
    assert "is PALETTE COLOR, a colour image" in refused(tmp_path / "palette")
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [256, 0, 16], bytes(512)
    write_slices(tmp_path / "table", noise(SHAPE), AXIAL, ModalityLUTSequence=Sequence([table]))
    assert "through a table (Modality LUT)" in refused(tmp_path / "table")


def test_a_series_is_chosen_by_uid_or_description(tmp_path):
    for number, name in enumerate(("Arterial 1.0", "Portal venous 1.0", "localizer")):
        write_slices(tmp_path / "p", noise(SHAPE, number), AXIAL, f"1.2.{number}", 100 * number, SeriesDescription=name)
    message = refused(tmp_path / "p")
    assert "holds 3 DICOM series" in message
    assert "1.2.1: CT 'Portal venous 1.0', 10 file(s)" in message
    for choice in ("1.2.1", ["1.2.1", "9.9"], "portal", "VENOUS"):
        assert np.array_equal(open_scan(tmp_path / "p", choice).whole(), noise(SHAPE, 1))
    assert "holds 2 DICOM series that --series means" in refused(tmp_path / "p", series="1.0")
    assert "holds no DICOM series that 'delayed' means" in refused(tmp_path / "p", series="delayed")


def test_a_damaged_file_is_named(tmp_path):
    files = write_slices(tmp_path / "a", noise(SHAPE), AXIAL)
    whole = files[-1].read_bytes()
    for length in (150, 500, len(whole) - 20, len(whole) - 1):
        files[-1].write_bytes(whole[:length])
        with pytest.raises(Exception, match=r"IM0010\.dcm"):
            list(open_scan(tmp_path / "a").slabs())
