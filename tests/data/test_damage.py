"""Damaged files and headers that state nonsense are refused by file and rule, never read as something else."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
from data_volumes import check, refusal, save
from hypothesis import given
from hypothesis import strategies as st

from seat_components.data import ScanReader, open_scan
from seat_components.refusals import RefusalError

SHAPE = (9, 10, 7)
VALUES = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.int16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damage")


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
