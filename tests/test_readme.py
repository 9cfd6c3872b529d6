"""Every command in README.md is run here on a phantom, or named with the test that runs it: a new one must be, too."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
import torch
from bundle_runs import SMALL
from documented_commands import block_commands, environment, run_documented, small_bundle

from seat_components.training import TrainingHistory

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = ("python", "make", "torchrun", "tensorboard", "mlflow", "pip", "pre-commit", ".ci/run")
# Not run as the others are: a command's first words → the test that runs it, or what it calls.
ELSEWHERE = {
    "make": "tests/test_readme.py::test_targets_exist_and_are_listed",
    "make run": "tests/test_demo.py::test_train_evaluate_attack_report",
    "make test": "tests/test_readme.py::test_integration_runs_lint_tests_and_the_main_job",
    "make data": "tests/test_readme.py::test_the_download_asks_monai_for_the_task",
    "make label": "tests/labelling/test_label_fine_tuning.py::test_free_from_the_clean_weights",
    "make bundle-zips": "tests/distribution/test_archives.py::test_command",
    "make bench": "tests/benchmark/test_benchmark.py::test_writes_one_line_per_form",
    "make bundles": "tests/test_main.py::test_bundles_are_written",
    "make lint": "tests/test_readme.py::test_integration_runs_lint_tests_and_the_main_job",
    ".ci/run": "tests/test_readme.py::test_integration_runs_lint_tests_and_the_main_job",
    "pre-commit install": "tests/test_readme.py::test_the_hooks_can_be_installed",
    "pip install": "tests/test_readme.py::test_extras_that_are_named_exist",
    "tensorboard": "tests/test_readme.py::test_tensorboard_shows_what_a_run_wrote",
    "python -m seat_components experiment": (
        "tests/experiments/test_runner.py::test_an_experiment_is_killed_goes_on_and_ends_in_a_page"
    ),
}


def documented():
    """All commands of README, those of its blocks first."""
    text = re.sub(r"^```.*?^```", "", README, flags=re.DOTALL | re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    spans += re.findall(r"\b(pip install '[^']*')", README)
    found = block_commands(README)
    found += [span for span in spans if span.split()[0] in PROGRAMS and (" " in span or span in ELSEWHERE)]
    # A command that is only mentioned, without its arguments, stands in full elsewhere.
    return [line for line in dict.fromkeys(found) if not is_mention(line, found)]


def is_mention(line, found):
    return not line.startswith("make") and any(other.startswith(line + " ") for other in found)


def stands_in(command):
    """The test that answers for a command which is not run here; None for one that is."""
    starts = [start for start in ELSEWHERE if command == start or (start != "make" and command.startswith(start + " "))]
    return ELSEWHERE[max(starts, key=len)] if starts else None


RUN_HERE = [command for command in documented() if stands_in(command) is None]
TRAINING = RUN_HERE[0]


def test_the_blocks_and_the_text_were_found():
    """The test would say nothing if it read nothing."""
    found = documented()
    assert "make run" in found
    assert "python -m seat_components weights" in found
    assert sum("monai.bundle run" in command for command in found) >= 9
    for words in ("torchrun", "--tracking mlflow", "ckpt_export", "onnx_export", "tensorboard"):
        assert any(words in command for command in found), words
    assert "train.json --dataset_dir" in TRAINING


def test_what_is_neither_named_nor_a_bundles_or_a_packages_command_cannot_be_run_here():
    others = ("python -m monai.bundle ", "python -m seat_components ", "torchrun ")
    assert [command for command in RUN_HERE if not command.startswith(others)] == []


@pytest.mark.parametrize("command", [command for command in documented() if stands_in(command)])
def test_a_command_that_is_not_run_here_has_a_test(command):
    file, _, name = stands_in(command).partition("::")
    functions = {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert name in functions, f"{stands_in(command)} is to answer for '{command}', but there is no such test"


def test_no_test_is_named_for_a_command_that_is_gone():
    used = {stands_in(command) for command in documented()}
    assert [start for start, test in ELSEWHERE.items() if test not in used] == []


def run(command, folder, data):
    """Run ``command`` in the bundle ``folder``, its names and numbers replaced; the words that it printed come back."""
    meant = {
        "DATA": str(data),
        "SCANS": str(data / "imagesTs"),
        "MASKS": "masks",
        "FILE": "models/model.pt",
        "EVAL_DIR…": "eval",
        "300": "2",
        "NAME": "own",
        "DIR": str(data) if "new-bundle" in command else "new",
    }
    further = ("--attack_eps_255", "[8]", "--max_cases", "1", "--steps", "2") if "attack.json" in command else ()
    return run_documented(command, ROOT if command.endswith(" weights") else folder, meant, *further)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, task04_phantom):
    """A bundle with a small network, after README's first command in it: two of its three epochs."""
    small = {**SMALL, "epochs": 3, "val_patch_size": [32, 32, 32], "patch_size": [16, 16, 16]}
    folder = small_bundle(tmp_path_factory.mktemp("readme"), **small)
    run(TRAINING, folder, task04_phantom)
    return folder


# What a command leaves behind, by a word of it.
WRITES = {
    "evaluate.json": "eval/metrics.json",
    "attack.json": "eval/robustness.json",
    "inference.json --dataset_dir": "masks/*.nii.gz",
    "mlflow": "eval/mlruns.db",
    "ckpt_export": "model.ts",
    "onnx_export": "model.onnx",
    "report": "eval/report.html",
    "phantom": "new/dataset.json",
    "new-bundle": "bundles/own/configs/train.json",
}


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN_HERE)
def test_command_runs(command, trained, task04_phantom, tmp_path):
    if "mlflow" in command:
        pytest.importorskip("mlflow", reason="needs MLflow: pip install 'seat-components[tracking]'")
    if command == TRAINING:
        assert epochs(trained) == 2
        return
    folder = shutil.copytree(trained, tmp_path / "bundle")
    if "train.json" in command and "resume" not in command:
        (folder / "eval" / TrainingHistory.FILE_NAME).write_text("")
    said = run(command, folder, task04_phantom)
    assert "weights" not in command or folder.name in said
    for word, file in WRITES.items():
        assert word not in command or list(folder.glob(file)), said
    if "train.json" in command and not any(overlay in command for overlay in ("evaluate", "attack")):
        assert epochs(folder) == 3, said
    if "resume" in command:
        assert "2 epochs done" in said


def epochs(folder):
    """How many the history of ``folder`` has."""
    return max(len((folder / "eval" / TrainingHistory.FILE_NAME).read_text().splitlines()) - 1, 0)


@pytest.mark.slow
def test_tensorboard_shows_what_a_run_wrote(trained):
    (command,) = (command for command in documented() if command.startswith("tensorboard"))
    words = [*shlex.split(command), "--port", "0", "--host", "127.0.0.1"]
    log = trained / "tensorboard.log"
    with log.open("w") as stream, subprocess.Popen(words, cwd=trained, env=environment(), stderr=stream) as server:
        try:
            address = wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+/", log.read_text()))[0]
            assert wait_for(lambda: {"g", "gradient_norm", "train_loss", "val_mean_dice"} <= scalars(address))
        finally:
            server.terminate()


def scalars(address):
    with urlopen(f"{address}data/plugin/scalars/tags", timeout=30) as answer:  # noqa: S310 - the test's own server
        return {tag for tags in json.load(answer).values() for tag in tags}


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def made(*words):
    """What ``make`` says."""
    if (make := shutil.which("make")) is None:
        pytest.skip("needs make")
    done = subprocess.run([make, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def recipe(*words):
    """What ``make`` would do."""
    return made("-n", *words)


def test_targets_exist_and_are_listed():
    listed = made()
    for command in documented():
        if command.startswith("make "):
            target = command.split()[1]
            recipe(target, "STUDIES=scans")
            assert f"make {target} " in listed
    assert "seat_components demo --bundle" in recipe("run", "DATA=data")
    assert "--data" in recipe("run", "DATA=data")


def test_the_download_asks_monai_for_the_task():
    line = next(line for line in recipe("data", "TASK=Task09_Spleen").splitlines() if "DecathlonDataset" in line)
    call = ast.parse(shlex.split(line)[-1]).body[-1].value
    arguments = [ast.literal_eval(value) for value in call.args]
    assert arguments == ["runs/data", "Task09_Spleen", "training"]
    assert {word.arg: ast.literal_eval(word.value) for word in call.keywords}["download"] is True


def test_integration_runs_lint_tests_and_the_main_job():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert [line for line in lines if line in ("make lint", "make test", "make run")] == [
        "make lint",
        "make test",
        "make run",
    ]
    assert "-m pytest" in recipe("test")
    assert all(tool in recipe("lint") for tool in ("ruff check", "ruff format --check", "mypy"))


def test_the_hooks_can_be_installed(tmp_path):
    program = Path(sys.executable).with_name("pre-commit")
    if not program.is_file() or shutil.which("git") is None:
        pytest.skip("needs git, and pre-commit of the extra dev")
    home = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home"), "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run([shutil.which("git"), "init", "--quiet", tmp_path], check=True, env=home)
    shutil.copy(ROOT / ".pre-commit-config.yaml", tmp_path)
    subprocess.run([program, "install"], cwd=tmp_path, check=True, env=home)
    assert "pre-commit" in (tmp_path / ".git" / "hooks" / "pre-commit").read_text()


def test_extras_that_are_named_exist():
    setup = (ROOT / "setup.cfg").read_text()
    for extra in re.findall(r"pip install 'seat-components\[(\w+)\]'", README):
        assert f"\n{extra} =\n" in setup


def test_the_lines_for_a_model_of_ones_own_run(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    torch.manual_seed(0)
    image = torch.rand(1, 1, 8, 8)
    names = {"model": torch.nn.Conv2d(1, 2, 1), "image": image, "label": (image > 0.5).long()}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - the documented lines themselves
    assert "worst 8" in capsys.readouterr().out
