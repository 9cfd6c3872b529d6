"""docs/tutorial_reading_room.md: its lines one after the other, on a phantom, and the runs that ``seat`` becomes."""

import re

import pytest
from bundle_runs import save_unet
from excused import EXCUSED
from seat_lines import type_seat
from shown_commands import typed_in
from small_bundles import small_bundle

from seat_components.data import write_phantom
from seat_components.tasks import load_task
from seat_components.tasks.folds import folds_json

LEFT_BEHIND = (
    "masks/*.nii.gz",
    "before/metrics.json",
    "before/robustness.json",
    "after/model.pt",
    "after/metrics.json",
    "after/robustness.json",
    "report.html",
    "masks_after/*.nii.gz",
)


@pytest.mark.slow
def test_its_lines_lead_to_a_report_and_leave_the_bundle_as_it_is(tmp_path, monkeypatch):
    write_phantom(load_task("Task04_Hippocampus"), tmp_path / "data", cases=(4, 2))
    names = sorted(file.name.removesuffix(".nii.gz") for file in (tmp_path / "data/imagesTr").glob("*.nii.gz"))
    (tmp_path / "folds.json").write_text(folds_json([(names[:4], names[4:])]))
    bundle = small_bundle("Task04_Hippocampus", tmp_path / "bundles")
    save_unet(bundle / "models/model.pt")
    before = {file: file.read_bytes() for file in bundle.rglob("*") if file.is_file()}
    out = tmp_path / "out"
    places = {"SCANS": tmp_path / "data/imagesTs", "DATA": tmp_path / "data", "OUT": out, "FOLDS": "folds.json"}
    monkeypatch.chdir(tmp_path)
    for command in typed_in("docs/tutorial_reading_room.md", EXCUSED):
        type_seat(re.sub(r"\$(\w+)", lambda word: str(places[word[1]]), command), monkeypatch)
    assert [file for file in LEFT_BEHIND if not list(out.glob(file))] == []
    assert {file: file.read_bytes() for file in bundle.rglob("*") if file.is_file()} == before
