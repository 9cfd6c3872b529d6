"""Scans of every file format and folder give the same mask; what cannot be segmented is refused beforehand."""

import json

import itk
import nibabel as nib
import numpy as np
import pytest
from bundle_runs import refusal
from scan_files import Geometry, above_mean, infer, noise, save_dicom, save_nifti
from scan_writing import itk_image

from seat_components.data import inference_datalist
from seat_components.inference import masks
from seat_components.refusals import RefusalError

GEOMETRY = Geometry("PIR", (1.0, 1.0, 1.0), (12.0, -7.0))
SHAPE = (19, 14, 9)


def write(kind, array, affine, folder):
    if kind == "dicom":
        # The usual name of a series' folder: a UID.
        save_dicom(array, affine, folder / "1.2.840.7")
        return "1.2.840.7"
    if kind in ("nii", "nii.gz"):
        save_nifti(array, affine, folder / f"case.1.{kind}")
    else:
        itk.imwrite(itk_image(array, affine), str(folder / f"case.1.{kind}"))
    return "case.1"


@pytest.mark.parametrize("kind", ["nii", "nii.gz", "nrrd", "mha", "mhd", "dicom"])
def test_every_format_gives_the_mask_of_the_same_volume_in_nifti(bundle, tmp_path, kind):
    array, affine = noise(SHAPE), GEOMETRY.affine
    name = write(kind, array, affine, tmp_path)
    infer(bundle, tmp_path, tmp_path / "masks")
    assert [file.name for file in (tmp_path / "masks").glob("*.nii.gz")] == [f"{name}.nii.gz"]
    mask = nib.load(tmp_path / "masks" / f"{name}.nii.gz")
    # DICOM may store slices in another order: then the mask has that order, and an affine that says so.
    there = np.linalg.inv(mask.affine) @ affine
    assert np.allclose(np.abs(there[:3, :3]), np.eye(3), atol=1e-4), "axes agree up to their direction"
    flipped = tuple(np.flatnonzero(np.diag(there)[:3] < 0))
    assert flipped == () or kind == "dicom"
    assert mask.shape == SHAPE
    ours = np.flip(np.asarray(mask.dataobj), flipped)
    assert np.array_equal(ours, above_mean(array))
    corner = [n - 1 if axis in flipped else 0 for axis, n in enumerate(SHAPE)]
    assert np.allclose((mask.affine @ [*corner, 1])[:3], affine[:3, 3], atol=1e-3)
    assert mask.get_data_dtype() == np.uint8
    assert mask.header.get_xyzt_units()[0] == "mm"
    for form, code in (mask.get_sform(coded=True), mask.get_qform(coded=True)):
        assert code == 1, "the scanner's world"
        assert np.allclose(form, mask.affine, atol=1e-3)


def test_the_test_list_of_a_dataset_and_a_plain_folder_give_the_same(bundle, task04_phantom, tmp_path):
    infer(bundle, task04_phantom, tmp_path / "listed")
    infer(bundle, task04_phantom / "imagesTs", tmp_path / "found")
    names = sorted(file.name for file in (tmp_path / "listed").glob("*.nii.gz"))
    assert names == sorted(file.name for file in (task04_phantom / "imagesTs").iterdir())
    for name in names:
        first, second = (nib.load(tmp_path / folder / name) for folder in ("listed", "found"))
        assert np.array_equal(first.dataobj, second.dataobj)
        assert first.header == second.header


@pytest.mark.parametrize("patch", [[8, 8, 8], [16, 8, 24], [40, 40, 40]])
def test_the_patch_may_be_smaller_or_larger_than_the_volume(bundle, tmp_path, patch):
    save_nifti(noise(SHAPE), GEOMETRY.affine, tmp_path / "a.nii.gz")
    infer(bundle, tmp_path, tmp_path / "masks", val_patch_size=patch)
    assert np.array_equal(nib.load(tmp_path / "masks" / "a.nii.gz").dataobj, above_mean(noise(SHAPE)))


def test_a_run_that_dies_while_writing_leaves_whole_masks(bundle, tmp_path, monkeypatch):
    for seed, name in enumerate(("a", "b")):
        save_nifti(noise(SHAPE, seed), GEOMETRY.affine, tmp_path / f"{name}.nii.gz")
    infer(bundle, tmp_path, tmp_path / "masks")
    before = {file.name: file.read_bytes() for file in (tmp_path / "masks").glob("*.nii.gz")}
    (tmp_path / "masks" / "b.nii.gz").unlink()
    write, written = masks._write, []

    def die_on_the_second(image, stream, compressed):
        written.append(image)
        if len(written) == 2:
            stream.write(b"half a mask")
            raise KeyboardInterrupt
        write(image, stream, compressed)

    monkeypatch.setattr(masks, "_write", die_on_the_second)
    with pytest.raises(KeyboardInterrupt):
        infer(bundle, tmp_path, tmp_path / "masks")
    assert (tmp_path / "masks" / "a.nii.gz").read_bytes() == before["a.nii.gz"]
    assert not (tmp_path / "masks" / "b.nii.gz").exists()
    monkeypatch.undo()
    infer(bundle, tmp_path, tmp_path / "masks")
    assert {file.name: file.read_bytes() for file in (tmp_path / "masks").glob("*.nii.gz")} == before


def damage_truncated(folder):
    file = folder / "b.nii.gz"
    file.write_bytes(file.read_bytes()[:-200])


def damage_nan(folder):
    array = noise(SHAPE).astype(np.float32)
    array[3, 2, 1] = np.nan
    save_nifti(array, GEOMETRY.affine, folder / "b.nii.gz")


def damage_channels(folder):
    save_nifti(noise((*SHAPE, 2)), GEOMETRY.affine, folder / "b.nii.gz")


def damage_flat(folder):
    save_nifti(noise(SHAPE[:2]), GEOMETRY.affine, folder / "b.nii.gz")


UNUSABLE = {
    "truncated": (damage_truncated, "cannot be read to the end"),
    "NaN": (damage_nan, "1 voxel(s) that are NaN or infinite"),
    "channels": (damage_channels, "has 2 channel(s), but the task needs 1"),
    "flat": (damage_flat, "is not a 3D volume"),
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_an_unusable_scan_is_named_before_any_mask_is_written(bundle, tmp_path, fault):
    damage, rule = UNUSABLE[fault]
    for name in ("a", "b"):
        save_nifti(noise(SHAPE), GEOMETRY.affine, tmp_path / f"{name}.nii.gz")
    damage(tmp_path)
    message = refusal(infer, bundle, tmp_path, tmp_path / "masks")
    assert f"{tmp_path / 'b.nii.gz'}: " in message
    assert rule in message
    assert not list((tmp_path / "masks").glob("*.nii.gz"))


def test_scans_are_never_overwritten_by_their_masks(bundle, task04_phantom, tmp_path):
    save_nifti(noise(SHAPE), GEOMETRY.affine, tmp_path / "a.nii.gz")
    before = (tmp_path / "a.nii.gz").read_bytes()
    assert "would overwrite it" in refusal(infer, bundle, tmp_path, tmp_path / ".." / tmp_path.name)
    assert (tmp_path / "a.nii.gz").read_bytes() == before
    message = refusal(infer, bundle, task04_phantom, task04_phantom / "imagesTs")
    assert "Take another --output_dir" in message


def test_two_scans_of_one_name_are_refused(bundle, tmp_path):
    save_nifti(noise(SHAPE), GEOMETRY.affine, tmp_path / "a.nii.gz")
    save_nifti(noise(SHAPE), GEOMETRY.affine, tmp_path / "a.nii")
    assert "would both write a.nii.gz" in refusal(infer, bundle, tmp_path, tmp_path / "masks")


def test_two_dicom_folders_whose_names_differ_after_the_last_dot(bundle, tmp_path):
    for index in (1, 2):
        save_dicom(noise((12, 11, 6), index), np.diag([-1.0, -1, 1, 1]), tmp_path / f"1.2.840.{index}")
    infer(bundle, tmp_path, tmp_path / "masks")
    assert sorted(file.name for file in (tmp_path / "masks").glob("*.nii.gz")) == [
        "1.2.840.1.nii.gz",
        "1.2.840.2.nii.gz",
    ]


def test_a_test_list_that_leads_outside_is_refused(bundle, tmp_path):
    (tmp_path / "data").mkdir()
    save_nifti(noise(SHAPE), GEOMETRY.affine, tmp_path / "a.nii.gz")
    (tmp_path / "data" / "dataset.json").write_text(json.dumps({"test": ["../a.nii.gz"]}))
    assert "outside the dataset" in refusal(infer, bundle, tmp_path / "data", tmp_path / "masks")


def test_a_dicom_folder_of_several_series_is_refused(tmp_path):
    folder = tmp_path / "scans" / "patient"
    save_dicom(noise((12, 11, 6), 0), np.diag([-1.0, -1, 1, 1]), folder)
    assert inference_datalist(tmp_path / "scans") == [{"image": str(folder)}]
    other = tmp_path / "other"
    save_dicom(noise((12, 11, 4), 1), np.diag([-1.0, -1, 1, 1]), other, series="1.2.826.0.1.1.2")
    for file in other.iterdir():
        file.rename(folder / f"other_{file.name}")
    with pytest.raises(RefusalError, match=r"patient holds 2 DICOM series, but a scan is one of them"):
        inference_datalist(tmp_path / "scans")
