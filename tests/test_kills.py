"""``make kills`` kills, resumes and compares; and it would see a difference."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def kills(name, before=""):
    """The status of one kill of the kinds with ``name`` in their names, and what was said."""
    code = f"import kills, sys; sys.argv = ['kills.py', '--kills', '1', '--only', {name!r}]; {before}"
    words = [sys.executable, "-c", f"{code}\nsys.exit(bool(kills.main()))"]
    done = subprocess.run(words, cwd=TESTS, capture_output=True, text=True, check=False, timeout=900)
    assert not done.stderr.count("Traceback"), done.stderr
    return done.returncode, done.stdout


@pytest.mark.slow
def test_a_killed_attack_ends_as_an_undisturbed_one():
    status, said = kills("attack, 2 workers")
    assert status == 0, said
    assert "\n1 kills in " in said


@pytest.mark.slow
def test_a_run_that_ends_otherwise_is_found():
    status, said = kills("training, 0 workers, without", "kills.OTHER_EACH_TIME = frozenset()")
    assert status == 1, said
    assert "training_history.csv" in said
