"""An evaluation that is killed at any moment and started again leaves what an uninterrupted one leaves."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killed_evaluation.py")
FILES = {
    "attack": ["robustness.csv", "robustness.json", "slices/one.npz", "slices/two.npz"],
    "metrics": ["metrics.csv", "metrics.json"],
    "corruptions": ["corruptions.csv", "corruptions.json"],
    "certificate": ["certificate.csv", "certificate.json"],
}


@pytest.mark.parametrize(
    ("kind", "writes"), [("attack", 2 * 5 + 2 * 3 + 2), ("metrics", 2), ("corruptions", 2 * 6), ("certificate", 2 * 2)]
)
def test_killed_at_any_write_it_goes_on_to_the_same_files(tmp_path, kind, writes):
    command = [sys.executable, str(PROGRAM), kind, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["files"] == FILES[kind]
    assert report["kills"] > 2 * writes
    assert report["different"] == []
