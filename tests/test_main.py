"""The command line: phantoms and bundles are written, and refusals are one message."""

import subprocess
import sys

import pytest

from seat_components.__main__ import main
from seat_components.bundles.render import render
from seat_components.commands import COMMANDS
from seat_components.data import fold_datalist


def test_phantom_writes_a_dataset_that_the_fold_lists_fit(tmp_path, capsys):
    out = tmp_path / "phantom"
    options = ["--task", "Task04_Hippocampus", "--out", str(out), "--training", "3", "--validation", "2"]
    assert main(["phantom", *options]) == 0
    assert str(out) in capsys.readouterr().out
    for section, count in (("training", 3), ("validation", 2)):
        assert len(fold_datalist(out, "Task04_Hippocampus", 0, section)) == count
    assert main(["phantom", *options]) == 1
    assert "ERROR:" in capsys.readouterr().err


def test_bundles_are_written(tmp_path):
    assert main(["bundles", "--tasks", "Task04_Hippocampus", "--out", str(tmp_path)]) == 0
    folder = tmp_path / "msd_task04_hippocampus"
    for path, text in render("Task04_Hippocampus").items():
        assert (folder / path).read_text() == text


@pytest.mark.parametrize("words", [["report", "nowhere"], ["phantom", "--task", "Task99_Toe", "--out", "nowhere"]])
def test_a_refusal_is_one_message_without_a_traceback(words, tmp_path):
    command = [sys.executable, "-m", "seat_components", *words]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[0].startswith("ERROR: ")


def test_ctrl_c_is_one_line_and_a_status_of_its_own(monkeypatch, capsys):
    def stopped(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, "report", COMMANDS["report"]._replace(run=stopped))
    assert main(["report", "eval"]) == 130
    assert capsys.readouterr().err.startswith("Stopped by Ctrl-C.")
