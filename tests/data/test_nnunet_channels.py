"""nnU-Net's folders with several channels, a file each: one scan per case, read, checked, cached and written as one."""

import json
import os

import nibabel
import numpy as np
import pytest
from monai.transforms import LoadImaged

from seat_components.data import ScanReader, check_cases, inference_datalist, open_scan, read_dataset
from seat_components.data.cached import DiskCache
from seat_components.data.scans import scan_name
from seat_components.data.slabs import ScanError
from seat_components.evaluation.identity import fingerprint, name_of
from seat_components.inference.masks import MaskLayout, MaskWriter
from seat_components.planning.dataset import read_description
from seat_components.planning.measure import measure_case
from seat_components.refusals import RefusalError

AFFINE = np.array([[0, -1, 0, 5], [2, 0, 0, -7], [0, 0, 3, 1], [0, 0, 0, 1]], float)
SHAPE = (9, 8, 7)


def save(file, values, affine=AFFINE):
    file.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), file)


@pytest.fixture
def raw(tmp_path):
    """Two cases and a scan, of two channels."""
    random = np.random.default_rng(0)
    for part, case in (("Tr", "a"), ("Tr", "b"), ("Ts", "c")):
        for channel in ("0000", "0001"):
            save(tmp_path / f"images{part}" / f"{case}_{channel}.nii.gz", random.random(SHAPE, np.float32))
    for case in "ab":
        save(tmp_path / "labelsTr" / f"{case}.nii.gz", random.integers(0, 2, SHAPE).astype(np.uint8))
    content = {"channel_names": {"0": "T2", "1": "ADC"}, "labels": {"background": 0, "lesion": 1}, "numTraining": 2}
    (tmp_path / "dataset.json").write_text(json.dumps({**content, "file_ending": ".nii.gz"}))
    return tmp_path


def channel(raw, case, number, part="Tr"):
    return nibabel.load(raw / f"images{part}" / f"{case}_{number:04}.nii.gz").get_fdata(dtype=np.float32)


def test_each_case_is_one_scan_with_its_channels_in_order(raw):
    index = read_dataset(raw)
    assert [*index.training] == ["a", "b"]
    assert [name_of(case) for case in index.training.values()] == ["a", "b"]
    check_cases(list(index.training.values()), labels=[0, 1], channels=2)
    volume = open_scan(index.training["a"]["image"])
    expected = np.stack([channel(raw, "a", 0), channel(raw, "a", 1)], axis=-1)
    np.testing.assert_array_equal(volume.whole(), expected)
    loaded = LoadImaged(["image", "label"], reader=ScanReader(), ensure_channel_first=True)(index.training["a"])
    np.testing.assert_array_equal(loaded["image"].numpy(), np.moveaxis(expected, -1, 0))
    np.testing.assert_allclose(loaded["image"].affine, AFFINE)
    with pytest.raises(RefusalError, match=r"has 2 channel.*needs 3"):
        check_cases(list(index.training.values()), labels=[0, 1], channels=3)


def test_a_plan_measures_each_channel(raw):
    description = read_description(raw)
    assert description.modalities == ("T2", "ADC")
    case = description.cases["b"]
    label = nibabel.load(case["label"]).get_fdata() > 0
    measured = measure_case(case, 2, 2, is_ct=True)
    means = [values.mean for values in measured.intensities]
    np.testing.assert_allclose(means, [channel(raw, "b", number)[label].mean() for number in (0, 1)], rtol=1e-3)


def test_a_missing_channel_is_named(raw):
    (raw / "imagesTr" / "b_0001.nii.gz").unlink()
    with pytest.raises(RefusalError, match=r"lists 1 file\(s\) that do not exist.*\n.*b_0001\.nii\.gz$"):
        read_description(raw)
    (raw / "imagesTs" / "c_0000.nii.gz").unlink()
    with pytest.raises(RefusalError, match=r"lists 1 file\(s\) under \"test\".*\n.*c_0000\.nii\.gz$"):
        inference_datalist(raw)


def test_a_channel_on_another_grid_is_refused(raw):
    file = raw / "imagesTr" / "a_0001.nii.gz"
    save(file, channel(raw, "a", 1), affine=AFFINE + np.eye(4) * [0, 0, 0.2, 0])
    case = read_dataset(raw).training["a"]
    with pytest.raises(RefusalError, match=r"a_\{0000,0001\}.*a_0001\.nii\.gz lies on another grid than a_0000"):
        check_cases([case], labels=[0, 1], channels=2)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(RefusalError, match=r"a_\{0000,0001\}"):
        check_cases([case], labels=[0, 1], channels=2)


def test_of_a_list_of_files_the_one_at_fault_is_named(raw):
    good, bad = raw / "imagesTr" / "a_0000.nii.gz", raw / "imagesTr" / "colour.xyz"
    bad.write_text("nothing")
    with pytest.raises(ScanError, match=r"colour\.xyz is of no format that is read"):
        ScanReader().get_data([str(good), str(bad)])


def test_a_label_of_several_files_is_none(raw):
    with pytest.raises(ScanError, match="has 2 channels, but a label has one"):
        ScanReader(labels=True).get_data([read_dataset(raw).training["a"]["image"]])


def test_records_and_caches_notice_a_change_of_any_channel(raw):
    case = read_dataset(raw).training["a"]
    cache = DiskCache(raw / "cache", [])
    before = fingerprint(case), cache.path(case)
    file = raw / "imagesTr" / "a_0001.nii.gz"
    save(file, channel(raw, "a", 1) + 1)
    os.utime(file, ns=(1, 1))
    after = fingerprint(case), cache.path(case)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_mask_bears_the_cases_name_and_the_first_channels_header(raw):
    (scan,) = inference_datalist(raw, raw / "masks")
    file = MaskLayout(raw / "masks", raw).filename(scan["image"])
    assert file == str(raw / "masks" / "c.nii.gz")
    writer = MaskWriter()
    writer.set_data_array(np.ones((1, *SHAPE)))
    writer.set_metadata({"affine": np.eye(4), "filename_or_obj": scan["image"]})
    writer.write(file)
    np.testing.assert_allclose(nibabel.load(file).affine, AFFINE)
    assert (
        nibabel.load(file).header["sform_code"] == nibabel.load(raw / "imagesTs" / "c_0000.nii.gz").header["sform_code"]
    )


def test_a_folder_without_list_is_searched_for_the_channels_of_each_scan(raw):
    """As nnU-Net's users give it: the folder of the images alone."""
    names = {"0": "T2", "1": "ADC"}
    folder = raw / "imagesTr"
    (folder / "alone_0000.nii.gz").write_bytes((folder / "a_0000.nii.gz").read_bytes())
    scans = [scan["image"] for scan in inference_datalist(folder, channel_names=names)]
    assert scans == [
        str(folder / name) for name in ("a_{0000,0001}.nii.gz", "alone_0000.nii.gz", "b_{0000,0001}.nii.gz")
    ]
    assert [scan_name(scan, folder) for scan in scans] == ["a", "alone_0000", "b"]
    (one,) = inference_datalist(folder / "b_0000.nii.gz", channel_names=names)
    assert one["image"] == str(folder / "b_{0000,0001}.nii.gz")
    assert len(inference_datalist(folder, channel_names={"0": "T2"})) == 5
