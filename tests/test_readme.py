"""README's lines of Python run as they stand there, and what its targets do beside what tests/user_path types."""

import ast
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def recipe(*words):
    """What ``make`` would do."""
    if (make := shutil.which("make")) is None:
        pytest.skip("needs make")
    done = subprocess.run([make, "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_main_job_takes_the_folder_that_it_is_given():
    assert "--data" not in recipe("run")
    assert "seat_components demo --bundle" in recipe("run", "DATA=data")
    assert "--data" in recipe("run", "DATA=data")


def test_the_download_asks_monai_for_the_task():
    line = next(line for line in recipe("data", "TASK=Task09_Spleen").splitlines() if "DecathlonDataset" in line)
    call = ast.parse(shlex.split(line)[-1]).body[-1].value
    arguments = [ast.literal_eval(value) for value in call.args]
    assert arguments == ["runs/data", "Task09_Spleen", "training"]
    assert {word.arg: ast.literal_eval(word.value) for word in call.keywords}["download"] is True


def test_integration_runs_lint_tests_and_the_main_job_on_phantoms_and_on_real_cases():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    made = [line.strip() for line in script.read_text().splitlines() if re.match(r" *make (lint|test|run)\b", line)]
    assert made == ["make lint", "make test", "make run", "make run DATA=runs/data/six_cases"]
    assert "-m pytest" in recipe("test")
    assert all(tool in recipe("lint") for tool in ("ruff check", "ruff format --check", "mypy", "lint-imports"))


def test_no_page_and_no_message_asks_an_index_for_this_package():
    """Whoever takes its name there would be installed."""
    texts = [file for folder in ("docs", "bundles", "seat_components") for file in (ROOT / folder).rglob("*")]
    for file in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *texts]:
        if file.suffix in (".md", ".py", ".json", ".jinja"):
            assert not re.search(r"pip install[^\n]*\bseat.components\b(?!-[\d*])", file.read_text("utf-8")), file


def test_the_lines_for_a_model_of_ones_own_run(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    torch.manual_seed(0)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - the documented lines themselves
    assert "worst 8" in capsys.readouterr().out
