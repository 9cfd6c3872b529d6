"""Scans for inference: the test list first, else what lies in the folder; never two masks of one name."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest

from seat_components.data import inference_datalist
from seat_components.data.scans import scan_name
from seat_components.refusals import RefusalError


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def found(folder: Path) -> list[str]:
    return [str(Path(item["image"]).relative_to(folder)) for item in inference_datalist(folder)]


def dicom(file: Path) -> None:
    """A header of one image: enough to be found, not to be read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    dataset = pydicom.Dataset()
    dataset.SeriesInstanceUID, dataset.Rows = "1.2.3", 4
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    whole = pydicom.dataset.FileDataset("", dataset, file_meta=meta, preamble=bytes(128), is_implicit_VR=False)
    whole.save_as(str(file))


def test_the_test_list_comes_first(task04_phantom: Path) -> None:
    assert found(task04_phantom) == [f"imagesTs/hippocampus_phantom{n}.nii.gz" for n in (1, 2)]


def test_any_folder_of_images(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("d.nii", "c.nii.gz", "b.nrrd", "a.mha", "e.mhd", "e.raw", "notes.txt")))
    touch(tmp_path / "._c.nii.gz", tmp_path / ".hidden.nii", tmp_path / "papers" / "x.pdf")
    dicom(tmp_path / "series" / "IM0001")
    assert found(tmp_path) == ["a.mha", "b.nrrd", "c.nii.gz", "d.nii", "e.mhd", "series"]


def test_a_dataset_without_test_list_counts_as_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "a.nii.gz")
    entry = {"image": "imagesTr/x.nii.gz", "label": "labelsTr/x.nii.gz"}
    (tmp_path / "dataset.json").write_text(json.dumps({"training": [entry], "test": []}))
    assert found(tmp_path) == ["a.nii.gz"]


def test_a_missing_listed_scan_is_named(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"test": ["./imagesTs/gone.nii.gz"]}))
    with pytest.raises(RefusalError, match=r"do not exist:\n  .*gone\.nii\.gz"):
        inference_datalist(tmp_path)


def test_nothing_to_segment_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "readme.txt", tmp_path / "._a.nii.gz")
    with pytest.raises(RefusalError, match="holds no scan"):
        inference_datalist(tmp_path)
    with pytest.raises(RefusalError, match="is not a folder"):
        inference_datalist(tmp_path / "nowhere")


def test_a_single_scan(tmp_path: Path) -> None:
    scan = tmp_path / "a.nii.gz"
    touch(scan, tmp_path / "b.nii.gz", tmp_path / "notes.txt", tmp_path / "dataset.json")
    assert inference_datalist(scan, tmp_path / "masks") == [{"image": str(scan)}]
    assert scan_name(scan, scan) == "a"
    with pytest.raises(RefusalError, match="would overwrite it"):
        inference_datalist(scan, tmp_path)
    for other in ("notes.txt", "dataset.json"):
        with pytest.raises(RefusalError, match=rf"{other} is no scan: it .*of a DICOM series, name the folder"):
            inference_datalist(tmp_path / other)


def test_two_scans_of_one_name_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.nii.gz", tmp_path / "a.nrrd")
    with pytest.raises(RefusalError, match=r"both write a\.nii\.gz"):
        inference_datalist(tmp_path)
    (tmp_path / "a.nrrd").unlink()
    dicom(tmp_path / "a" / "1.dcm")
    with pytest.raises(RefusalError, match=r"both write a\.nii\.gz"):
        inference_datalist(tmp_path)


def test_what_dataset_json_lists_for_training_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path / "a.nii.gz", tmp_path / "imagesTr" / "x.nii.gz", tmp_path / "labelsTr" / "x.nii.gz")
    entry = {"image": "imagesTr/x.nii.gz", "label": "labelsTr/x.nii.gz"}
    (tmp_path / "dataset.json").write_text(json.dumps({"training": [entry], "test": []}))
    scans = inference_datalist(tmp_path)
    assert found(tmp_path) == ["a.nii.gz"]
    assert [line.rpartition("/")[2].split(":")[0] for line in scans.left_out] == ["x.nii.gz", "x.nii.gz"]


def test_the_same_name_in_two_folders_is_no_collision(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "scan.nii.gz", tmp_path / "b" / "scan.nii.gz")
    assert found(tmp_path) == ["a/scan.nii.gz", "b/scan.nii.gz"]


def test_a_list_with_a_byte_order_mark_is_read_and_backslashes_are_hinted_at(tmp_path: Path) -> None:
    touch(tmp_path / "imagesTs" / "a.nii.gz")
    text = json.dumps({"test": ["./imagesTs/a.nii.gz", "./imagesTs/._a.nii.gz"]})
    (tmp_path / "dataset.json").write_bytes(b"\xef\xbb\xbf" + text.replace(", ", ",\r\n").encode())
    assert found(tmp_path) == ["imagesTs/a.nii.gz"]
    (tmp_path / "dataset.json").write_text(json.dumps({"test": [r".\imagesTs\a.nii.gz"]}))
    with pytest.raises(RefusalError, match=r"has backslashes, as on Windows.*'\./imagesTs/a\.nii\.gz'"):
        inference_datalist(tmp_path)


def earlier(folder: Path, mask: str, scan: Path) -> None:
    """A mask and the record of it, as an inference leaves them."""
    touch(folder / mask)
    (folder / "volumes.json").write_text(json.dumps({"weights": {}, "cases": [{"mask": mask, "scan": str(scan)}]}))


def test_a_mask_of_the_same_scan_is_written_again(tmp_path: Path) -> None:
    touch(tmp_path / "scans" / "a.nii.gz")
    earlier(tmp_path / "masks", "a.nii.gz", tmp_path / "scans" / "a.nii.gz")
    assert len(inference_datalist(tmp_path / "scans", tmp_path / "masks")) == 1


def test_what_is_not_known_as_the_scans_mask_is_not_overwritten(tmp_path: Path) -> None:
    """Experts' labels bear their scans' names, and scans of many patients are called alike."""
    touch(tmp_path / "imagesTr" / "a.nii.gz", tmp_path / "labelsTr" / "a.nii.gz", tmp_path / "p2" / "a.nii.gz")
    with pytest.raises(
        RefusalError, match=r"labelsTr/a.nii.gz, where the mask of .* is there already and is not known"
    ):
        inference_datalist(tmp_path / "imagesTr", tmp_path / "labelsTr")
    earlier(tmp_path / "masks", "a.nii.gz", tmp_path / "imagesTr" / "a.nii.gz")
    with pytest.raises(RefusalError, match=r"is there already and is that of .*imagesTr/a.nii.gz"):
        inference_datalist(tmp_path / "p2" / "a.nii.gz", tmp_path / "masks")
    # A record may be edited: no name in it ends in a traceback.
    earlier(tmp_path / "masks", "a.nii.gz", Path("\0"))
    with pytest.raises(RefusalError, match="leads nowhere"):
        inference_datalist(tmp_path / "imagesTr", tmp_path / "masks")
    (tmp_path / "masks" / "volumes.json").write_text("[[[")
    with pytest.raises(RefusalError, match="is not known as its mask"):
        inference_datalist(tmp_path / "imagesTr", tmp_path / "masks")


@pytest.mark.parametrize(
    ("name", "words"), [("M\udcfcller.nii.gz", "no UTF-8"), (f"{'a' * 201}.nii.gz", "name of 201 bytes")]
)
def test_a_name_that_no_mask_can_have_is_refused_before_any_work(tmp_path: Path, name: str, words: str) -> None:
    touch(tmp_path / "a.nii.gz", tmp_path / name)
    with pytest.raises(RefusalError, match=words):
        inference_datalist(tmp_path)


def test_a_folder_is_found_under_its_own_name_before_a_links(tmp_path: Path) -> None:
    touch(tmp_path / "all" / "real" / "deep" / "s.nii.gz", tmp_path / "all" / "real" / "t.nii.gz")
    (tmp_path / "all" / "z_link").symlink_to(tmp_path / "all" / "real" / "deep")
    (tmp_path / "all" / "real" / "loop").symlink_to(tmp_path / "all")
    assert found(tmp_path / "all") == ["real/deep/s.nii.gz", "real/t.nii.gz"]
