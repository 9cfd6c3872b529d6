"""What OpenMP's settings cost is measured in processes that have them, and told as ratios."""

import sys

import pytest

from tools import threads
from tools.work import Geometry

# Says one figure per line, as the measured process does: how many threads it was given.
TELLS_ITS_THREADS = "import os; print(os.environ.get('OMP_NUM_THREADS', '7'), flush=True); input()"


def test_a_table_tells_each_setting_as_a_ratio_to_the_default_alone():
    alone = {"default": 0.5, "OMP_NUM_THREADS=1": 0.75}
    beside = {"default": 2.0, "OMP_NUM_THREADS=1": 0.8}
    assert threads.table(alone, beside).splitlines()[2:] == [
        "| default | 0.50 s (1.0) | 2.00 s (4.0) |",
        "| OMP_NUM_THREADS=1 | 0.75 s (1.5) | 0.80 s (1.6) |",
    ]


def test_each_setting_is_measured_in_a_process_that_has_it_and_no_other(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setattr(threads, "_PROGRAM", (sys.executable, "-c", TELLS_ITS_THREADS.removesuffix("; input()")))
    assert threads.measure(threads.SETTINGS["default"], 1) == 7
    assert threads.measure(threads.SETTINGS["OMP_NUM_THREADS=1"], 1) == 1


def test_a_neighbour_is_busy_before_it_counts_and_ended_after_it(monkeypatch):
    started = []
    monkeypatch.setattr(threads, "_PROGRAM", (sys.executable, "-c", TELLS_ITS_THREADS))
    popen = threads.subprocess.Popen
    monkeypatch.setattr(threads.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[0])
    with threads.neighbour():
        assert started[0].poll() is None
    assert started[0].returncode is not None


@pytest.mark.parametrize("number", [1, 2])
def test_a_measured_process_says_the_seconds_of_each_step(number, monkeypatch, capsys):
    monkeypatch.setattr(
        threads, "GEOMETRIES", (Geometry("small", (1, 1, 16, 16, 16), ((1, 1, 1), (1, 1, 1), (2, 2, 2))),)
    )
    threads.main(["--steps", str(number)])
    figures = capsys.readouterr().out.split()
    assert len(figures) == number
    assert all(float(figure) >= 0 for figure in figures)
