"""docs/tutorial_reading_room.md: its lines one after the other, on a phantom, and the runs that ``seat`` becomes."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import warm_start
from bundle_runs import save_unet
from excused import EXCUSED
from shown_commands import ROOT, typed_in
from small_bundles import small_bundle
from typed import environment

from seat_components.__main__ import main
from seat_components.data import write_phantom
from seat_components.launching import start
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
        run(re.sub(r"\$(\w+)", lambda word: str(places[word[1]]), command), monkeypatch)
    assert [file for file in LEFT_BEHIND if not list(out.glob(file))] == []
    assert {file: file.read_bytes() for file in bundle.rglob("*") if file.is_file()} == before


def run(command, monkeypatch):
    """Do what ``seat`` does with the words of ``command``; the run that it becomes is a process of its own."""
    lines = []
    monkeypatch.setattr(start.os, "execv", lambda _, words: lines.append(words))
    main(shlex.split(command)[1:])
    for words in lines:
        variables = {**environment(), "PYTHONPATH": str(ROOT)}
        done = warm_start.run([sys.executable, *words[1:]], cwd=Path.cwd(), env=variables)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}"
