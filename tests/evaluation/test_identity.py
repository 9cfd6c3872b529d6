"""A fingerprint sees that a case's files are others, wherever they lie; a broken dataset.json is refused by name."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from seat_components.evaluation.identity import ENDS, data_description, fingerprint, fingerprints
from seat_components.refusals import RefusalError


@pytest.fixture
def case(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (96, 96, 96), np.uint8)
    for name in ("image", "label"):
        nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / f"{name}.nii.gz")
    return {name: str(tmp_path / f"{name}.nii.gz") for name in ("image", "label")}


@pytest.mark.parametrize("changed", ["image", "label"])
def test_one_voxel_in_the_middle_of_a_compressed_volume_changes_it(case, changed):
    before, path = fingerprint(case), case[changed]
    with gzip.open(path) as file:
        content = bytearray(file.read())
    content[len(content) // 2] ^= 1
    with gzip.open(path, "wb") as file:
        file.write(content)
    assert fingerprint(case) != before


def test_it_is_the_same_for_a_copy_elsewhere(case, tmp_path):
    before = fingerprint(case)
    for name in ("image", "label"):
        (tmp_path / "copy").mkdir(exist_ok=True)
        (tmp_path / f"{name}.nii.gz").rename(tmp_path / "copy" / f"{name}.nii.gz")
    moved = {name: str(tmp_path / "copy" / f"{name}.nii.gz") for name in case}
    assert fingerprint(moved) == before
    assert fingerprints([moved]) == {"image": before}


@pytest.mark.parametrize("place", [0, ENDS - 1, 2 * ENDS, -ENDS, -1])
def test_every_byte_and_the_size_of_an_uncompressed_file_count(tmp_path, place):
    content = bytearray(4 * ENDS)
    seen = []
    for change in (lambda: None, lambda: content.__setitem__(place, 1), lambda: content.insert(2 * ENDS, 0)):
        change()
        (tmp_path / "a.nii").write_bytes(content)
        seen.append(fingerprint({"image": tmp_path / "a.nii"}))
    assert len(set(seen)) == 3


def test_image_and_label_swapped_several_files_folders_and_missing_files_are_told_apart(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"a")
    (tmp_path / "b.nii").write_bytes(b"b")
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").write_bytes(b"a")
    a, b, series, missing = (str(tmp_path / name) for name in ("a.nii", "b.nii", "series", "none.nii"))
    cases = [
        {"image": a}, {"image": [a, b]}, {"image": [b, a]}, {"image": a, "label": b}, {"image": b, "label": a},
        {"image": series}, {"image": series, "label": a}, {"image": missing}, {"image": a, "label": missing},
    ]  # fmt: skip
    assert len({fingerprint(case) for case in cases}) == len(cases)
    assert list(fingerprints([{"image": [b, a]}])) == ["b"], "named after the first file"
    before = fingerprint({"image": series})
    (tmp_path / "series" / "2.dcm").write_bytes(b"b")
    assert fingerprint({"image": series}) != before


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe\x00"])
def test_a_dataset_json_that_is_none_is_refused_by_name(tmp_path, content):
    (tmp_path / "dataset.json").write_bytes(content)
    with pytest.raises(RefusalError, match=r"dataset\.json"):
        data_description(tmp_path)


def test_what_a_dataset_says_about_itself(tmp_path):
    assert data_description(None) == data_description(tmp_path) == ""
    (tmp_path / "dataset.json").write_text('{"name": "Spleen", "description": "CT"}')
    assert data_description(tmp_path) == "Spleen CT"
