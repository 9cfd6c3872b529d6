"""An inference over a nested folder says what it did, measured, and left out."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from bundle_runs import refusal
from scan_files import above_mean, infer
from scan_writing import affine_of, noise, write_slices

AFFINE = affine_of("LAS", (1.0, 2.0, 1.5))


def save(array, path, kind=nib.Nifti1Image):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(kind(array, AFFINE), path)


def test_what_was_done_measured_and_left_out(bundle, tmp_path, capsys):
    scans, masks = tmp_path / "scans", tmp_path / "scans" / "masks"
    array = noise((16, 14, 12))
    save(array, scans / "good.nii.gz")
    save(array, scans / "a" / "good.nii.gz")
    save(array, scans / "pair.img", nib.Nifti1Pair)
    save(array, scans / "lonely.img", nib.Nifti1Pair)
    (scans / "lonely.hdr").unlink()
    write_slices(scans / "patient2" / "study" / "series1", array, affine_of("LPS", (1.0, 1.0, 1.0)))
    (scans / "gone.nii.gz").symlink_to(tmp_path / "nowhere.nii.gz")
    (scans / "earlier").mkdir()
    (scans / "earlier" / "volumes.json").write_text("{}")
    (scans / "notes.txt").write_text("x")
    infer(bundle, scans, masks)
    names = ["a/good", "good", "pair", "patient2/study/series1"]
    assert sorted(str(file.relative_to(masks)) for file in masks.rglob("*.nii.gz")) == [f"{n}.nii.gz" for n in names]
    record = json.loads((masks / "volumes.json").read_text("utf-8"))
    assert [case["case"] for case in record["cases"]] == names
    good = record["cases"][1]
    count = int(np.asarray(nib.load(masks / "good.nii.gz").dataobj).sum())
    assert good["labels"]["Anterior"] == {"voxels": count, "ml": round(count * 3.0 / 1000, 6)}
    assert good["labels"]["Posterior"] == {"voxels": 0, "ml": 0.0}
    assert good["spacing_mm"] == [1.0, 2.0, 1.5]
    assert good["warnings"] == []
    assert record["weights"]["method"] is None
    said = capsys.readouterr().out
    assert f"4 mask(s) written to {masks}" in said
    assert f"SHA-256 {record['weights']['sha256']}" in said
    reasons = {"gone.nii.gz": "does not exist", "earlier": "masks of an inference", "lonely.img": "no lonely.hdr"}
    for name, reason in {**reasons, "notes.txt": "of no format that is read"}.items():
        (line,) = [line for line in record["left_out"] if line.startswith(f"{scans / name}: ")]
        assert reason in line
        assert line in said
    assert len(record["left_out"]) == 5, "the weights lie there too"


def test_a_scan_far_from_the_task_is_warned_about_and_refused_if_strict(bundle, tmp_path, capsys):
    save((noise((16, 14, 12)) - 1000).astype(np.float32), tmp_path / "scans" / "ct.nii.gz")
    infer(bundle, tmp_path / "scans", tmp_path / "masks")
    warned = [line for line in "".join(capsys.readouterr()).splitlines() if "ct.nii.gz: " in line]
    assert len(warned) == 1
    assert "MRI as scanned has none below 0" in warned[0]
    record = json.loads((tmp_path / "masks" / "volumes.json").read_text("utf-8"))
    assert "MRI as scanned has none below 0" in record["cases"][0]["warnings"][0]
    message = refusal(infer, bundle, tmp_path / "scans", tmp_path / "strict", strict=True)
    assert "MRI as scanned has none below 0" in message
    assert not list((tmp_path / "strict").glob("*.nii.gz"))


def test_one_word_chooses_the_series_of_every_patient(bundle, tmp_path):
    axial = affine_of("LPS", (1.0, 1.0, 1.0))
    for patient in "ab":
        for number, text in enumerate(("Arterial", "Portal venous")):
            write_slices(
                tmp_path / "scans" / patient, noise((16, 14, 12), number), axial, f"1.2.{ord(patient)}.{number}",
                100 * number, SeriesDescription=text,
            )  # fmt: skip
    message = refusal(infer, bundle, tmp_path / "scans", tmp_path / "masks")
    assert "holds 2 DICOM series" in message
    assert "'Portal venous', 12 file(s)" in message
    infer(bundle, tmp_path / "scans", tmp_path / "masks", series="portal")
    for patient in "ab":
        mask = nib.load(tmp_path / "masks" / f"{patient}.nii.gz")
        assert np.array_equal(mask.dataobj, above_mean(noise((16, 14, 12), 1)))


def test_what_was_measured_before_stays_as_long_as_its_mask_does(bundle, tmp_path):
    for name in "abc":
        save(noise((16, 14, 12)), tmp_path / "scans" / f"{name}.nii.gz")
    masks = tmp_path / "masks"

    def cases(scan):
        infer(bundle, tmp_path / "scans" / f"{scan}.nii.gz", masks)
        return json.loads((masks / "volumes.json").read_text())["cases"]

    cases("a")
    first = cases("b")
    (masks / "a.nii.gz").unlink()
    second = cases("c")
    assert [[case["mask"] for case in known] for known in (first, second)] == [
        ["a.nii.gz", "b.nii.gz"],
        ["b.nii.gz", "c.nii.gz"],
    ]
    assert first[1] == second[0]
    record = json.loads((masks / "volumes.json").read_text())
    record["weights"]["sha256"] = "of others"
    (masks / "volumes.json").write_text(json.dumps(record))
    again = cases("c")
    assert [case.get("weights", {}).get("sha256") for case in again] == ["of others", None]


def test_letters_of_an_ending_matter_to_no_mask(bundle, tmp_path):
    save(noise((16, 14, 12)), tmp_path / "a.nii.gz")
    (tmp_path / "scans").mkdir()
    (tmp_path / "a.nii.gz").rename(tmp_path / "scans" / "A.Nii.Gz")
    infer(bundle, tmp_path / "scans", tmp_path / "masks")
    assert [file.name for file in (tmp_path / "masks").glob("*.nii.gz")] == ["A.nii.gz"]


def test_a_scan_is_known_again_from_another_working_folder(bundle, tmp_path, monkeypatch):
    save(noise((16, 14, 12)), tmp_path / "scans" / "a.nii.gz")
    monkeypatch.chdir(tmp_path)
    infer(bundle, Path("scans"), tmp_path / "masks")
    monkeypatch.chdir(bundle)
    infer(bundle, tmp_path / "scans", tmp_path / "masks")
    (case,) = json.loads((tmp_path / "masks" / "volumes.json").read_text())["cases"]
    assert case["scan"] == str(tmp_path / "scans" / "a.nii.gz")
