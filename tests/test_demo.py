"""The main job end to end, with a small network: it reports, goes on where it stopped, and leaves the bundle alone."""

import json
import sys
from pathlib import Path

import pytest
import warm_start
from bundle_runs import UNET

from seat_components import demo
from seat_components.demo import run_demo
from seat_components.networks import ROG
from seat_components.refusals import RefusalError
from seat_components.running import write_run_record
from seat_components.tasks import all_tasks

# A small network and small patches; all else is as the job sets it.
BUNDLES = Path(__file__).parents[1] / "bundles"
SMALL = {"network_def": json.dumps(UNET), "patch_size": [16, 16, 16]}


@pytest.fixture(autouse=True)
def _warm(monkeypatch):
    """The job starts its parts with this Python."""
    monkeypatch.setattr(sys, "executable", warm_start.python())


def tree(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.slow
def test_a_job_that_was_stopped_goes_on_to_its_report_and_leaves_the_bundle_alone(bundle, tmp_path, capsys):
    before = tree(bundle)
    with pytest.raises(RefusalError, match="same command again"):
        run_demo(bundle, tmp_path, epochs=2, overrides={**SMALL, "stop_after_minutes": 1e-4})
    assert not (tmp_path / "eval" / "metrics.json").exists()
    capsys.readouterr()
    report = run_demo(bundle, tmp_path, epochs=2, overrides=SMALL)
    said = capsys.readouterr().out.splitlines()[-8:]
    assert said[0].startswith("What was found, on the validation cases")
    assert "under the worst attack found" in said[2]
    assert str(report) in said[-1]
    assert report == tmp_path / "eval" / "report.html"
    assert "<img" in report.read_text()
    for name in ("training_history.csv", "metrics.json", "robustness.json", "run.json"):
        assert (tmp_path / "eval" / name).is_file()
    assert tree(bundle) == before


def test_a_run_on_other_data_is_not_taken_for_this_one(bundle, task04_phantom, tmp_path):
    write_run_record(tmp_path / "eval", task04_phantom, "cpu", False)
    (tmp_path / "dataset.json").write_text('{"name": "Hippocampus", "description": "real scans"}')
    with pytest.raises(RefusalError, match="holds a run on other data"):
        run_demo(bundle, tmp_path, data=tmp_path)


@pytest.mark.slow
def test_a_step_that_fails_ends_the_job(bundle, tmp_path):
    with pytest.raises(RefusalError, match="'resume' ended with status 1"):
        run_demo(bundle, tmp_path, epochs=-1, overrides={"eps_255": -1})


def test_a_folder_that_is_no_bundle_is_named(tmp_path):
    with pytest.raises(RefusalError, match="is no bundle's folder"):
        run_demo(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_phantoms_are_trained_on_in_a_smaller_window_that_the_network_takes(task, tmp_path, monkeypatch):
    """No more is done than shows that all works, by the full network: two CPU cores take three minutes."""
    asked = {}
    monkeypatch.setattr(demo, "_run", lambda _bundle, configs, overrides: asked.setdefault(configs[-1], overrides))
    monkeypatch.setattr(demo, "write_phantom", lambda smaller, *_: asked.setdefault("phantom", smaller.sampling_patch))
    with pytest.raises(RefusalError, match="stopped before its end"):
        run_demo(BUNDLES / task.bundle, tmp_path)
    window = asked["resume"]["patch_size"]
    assert window == asked["resume"]["val_patch_size"]
    multiples = ROG(len(task.modalities), len(task.labels), task.strides).multiples
    assert [edge % multiple for edge, multiple in zip(window, multiples, strict=True)] == [0, 0, 0]
    assert all(edge <= usual for edge, usual in zip(window, task.train_patch, strict=True))
    assert all(edge < around for edge, around in zip(asked["phantom"], window, strict=True))
