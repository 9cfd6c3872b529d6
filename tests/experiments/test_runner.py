"""The runner does each step once, stops where it is told to, and goes on from there."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import warm_start
from bundle_runs import UNET

from seat_components.experiments import Plan, Run, Step, read_plan, run_plan, runner, steps_of, write_results
from seat_components.refusals import RefusalError


def script(folder, name, text, kind="train"):
    """A step that runs a line of Python."""
    return Step(f"run/{name}", kind, folder, (sys.executable, "-c", text))


@pytest.fixture
def plan(tmp_path):
    return Plan(title="title", bundle=tmp_path, dataset_dir=tmp_path, out=tmp_path / "out", runs={"run": Run()})


@pytest.fixture
def steps(monkeypatch):
    """Let the runner do these steps."""

    def use(*chosen):
        monkeypatch.setattr(runner, "steps_of", lambda _plan: iter(chosen))

    return use


def test_done_steps_are_skipped_and_failed_ones_stop_the_plan(tmp_path, plan, steps):
    note = f"open({str(tmp_path / 'note')!r}, 'a').write('x')"
    good, bad = script(tmp_path / "a", "good", note), script(tmp_path / "b", "bad", f"{note}; raise SystemExit(3)")
    steps(good, bad)
    for _ in range(2):
        with pytest.raises(RefusalError, match="run/bad ended with status 3"):
            run_plan(plan)
    assert (tmp_path / "note").read_text() == "xxx"
    assert good.seconds() is not None
    assert bad.seconds() is None


def test_a_step_done_by_another_command_is_refused(tmp_path, plan, steps):
    step = script(tmp_path / "a", "step", "pass")
    steps(step)
    assert run_plan(plan)
    steps(replace(step, words=(*step.words, "more")))
    with pytest.raises(RefusalError, match="another command"):
        run_plan(plan)


def test_a_step_done_in_another_bundle_or_from_other_weights_is_refused(tmp_path, plan, steps):
    weights = tmp_path / "parent.pt"
    weights.write_bytes(b"one")
    step = replace(script(tmp_path / "a", "step", "pass"), bundle="spleen", source=weights)
    steps(step)
    assert run_plan(plan)
    assert run_plan(plan)
    with pytest.raises(RefusalError, match="in the bundle spleen, not heart"):
        replace(step, bundle="heart").seconds()
    weights.write_bytes(b"two")
    with pytest.raises(RefusalError, match="from other weights"):
        step.seconds()
    weights.unlink()  # it is made again before anything needs it
    assert step.seconds() is not None


def test_time_that_is_over_stops_between_steps_and_inside_one(tmp_path, plan, steps):
    slow = script(tmp_path / "a", "slow", "import time; time.sleep(600)")
    steps(slow)
    assert not run_plan(plan, minutes=0)
    start = time.monotonic()
    assert not run_plan(plan, minutes=0.02)
    assert time.monotonic() - start < 300
    assert slow.seconds() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_between_two_steps_stops_the_next(tmp_path, plan, steps, monkeypatch, number):
    first, second = script(tmp_path / "a", "first", "pass"), script(tmp_path / "b", "second", "pass")
    steps(first, second)
    finish = Step.finish
    monkeypatch.setattr(Step, "finish", lambda step, seconds: (finish(step, seconds), os.kill(os.getpid(), number)))
    before = signal.getsignal(number)
    assert not run_plan(plan)
    assert signal.getsignal(number) is before
    assert first.seconds() is not None
    assert second.seconds() is None
    monkeypatch.undo()
    steps(first, second)
    assert run_plan(plan)


def test_a_signal_while_a_step_is_being_started_ends_it(tmp_path, plan, steps, monkeypatch):
    slow = script(tmp_path / "a", "slow", "import time; time.sleep(600)")
    steps(slow)
    popen = subprocess.Popen

    def start(*arguments, **options):
        process = popen(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    began = time.monotonic()
    assert not run_plan(plan)
    assert time.monotonic() - began < 300


def test_ctrl_c_at_the_terminal_reaches_the_step_once(tmp_path):
    """Both the runner and its step get it; a step that gets a second signal ends at once, without saving."""
    step = tmp_path / "step.py"
    step.write_text(
        "import pathlib, signal, time\n"
        "signals = []\n"
        "for number in (signal.SIGINT, signal.SIGTERM):\n"
        "    signal.signal(number, lambda number, frame: signals.append(number))\n"
        "pathlib.Path('ready').touch()\n"
        "while not signals:\n"
        "    time.sleep(0.05)\n"
        "time.sleep(1.5)\n"
        "pathlib.Path('signals').write_text(str(len(signals)))\n"
    )
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from seat_components.experiments import Plan, Run, Step, run_plan, runner\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "step = Step('run/step', 'train', folder / 'a', (sys.executable, str(folder / 'step.py')))\n"
        "runner.steps_of = lambda plan: iter([step])\n"
        "assert not run_plan(Plan(title='', bundle=folder, dataset_dir=folder, out=folder, runs={'run': Run()}))\n"
    )
    process = subprocess.Popen([sys.executable, str(program)], cwd=tmp_path, start_new_session=True)
    while not (tmp_path / "ready").is_file():
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert (tmp_path / "signals").read_text() == "1"


def test_a_continued_training_starts_with_the_best_weights_and_the_checkpoint(tmp_path):
    start = tmp_path / "start"
    start.mkdir()
    for name in ("model.pt", "training_checkpoint.pt"):
        (start / name).write_text("of the start")
    step = replace(script(tmp_path / "more", "more", "pass"), start=start)
    for content in ("of the start", "of its own"):
        step.prepare()
        assert (tmp_path / "more" / "model.pt").read_text() == content
        assert (tmp_path / "more" / "training_checkpoint.pt").read_text() == "of the start"
        (tmp_path / "more" / "model.pt").write_text("of its own")


def test_a_training_that_ends_early_is_not_done(tmp_path, plan, steps):
    steps(replace(script(tmp_path / "a", "train", "pass"), epochs=2))
    with pytest.raises(RefusalError, match="after epoch 0 of 2"):
        run_plan(plan)


def test_what_is_left_is_told_from_steps_of_the_same_kind(tmp_path):
    train = [replace(script(tmp_path, f"t{epochs}", "pass"), epochs=epochs) for epochs in (10, 20)]
    attack = script(tmp_path, "attack", "pass", kind="attack")
    assert runner.remaining([*train, attack], {"run/t10": 600.0, "run/t20": None, "run/attack": None}) == (
        "2 steps left, at least about 20 min"
    )
    assert runner.remaining(train, {"run/t10": 3600.0, "run/t20": None}) == "1 steps left, about 2 h 0 min"


@pytest.mark.slow
def test_an_experiment_is_killed_goes_on_and_ends_in_a_page(tmp_path, bundle, task04_phantom, monkeypatch):
    settings = {"num_workers": 0, "batch_size": 2, "update_every": 1, "val_interval": 1}
    content = {
        "title": "Phantoms",
        "bundle": str(bundle),
        "dataset_dir": str(task04_phantom),
        "out": str(tmp_path / "out"),
        "common": {"network_def": UNET, "patch_size": [16, 16, 16]},
        "train": {**settings, "epochs": 2},
        "attacks": {"quick": {"attack_eps_255": [8], "steps": 2, "max_cases": 2}},
        "runs": {
            "seat": {},
            "seat-3": {"continues": "seat", "train": {"epochs": 3}},
        },
    }
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(content))
    command = [sys.executable, "-m", "seat_components", "experiment", "--plan", str(file)]
    process = subprocess.Popen(command)
    while not (tmp_path / "out" / "seat" / "seed0" / "train.done.json").is_file():
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 0
    plan = read_plan(file)
    assert re.search("not there yet: .*seat-3", (tmp_path / "out" / "results.md").read_text())
    done = {step.name for step in steps_of(plan) if step.seconds() is not None}
    assert "seat/seed0/train" in done
    assert "seat-3/seed0/train" not in done
    monkeypatch.setattr(sys, "executable", warm_start.python())
    assert run_plan(plan)
    assert all(step.seconds() is not None for step in steps_of(plan))
    page = write_results(plan, tmp_path / "page.md", "the command")
    text = page.read_text()
    assert "| seat-3 | 3 | 5 | —" in text  # 1, 2 and 2 backpropagations per batch
    assert "each run minus" not in text, "none of these is a run that others are compared with"
    assert "unfinished" not in text
    assert text.count("![") == 3
    assert (tmp_path / "page_dice_by_budget.png").is_file()
    # What a stopped attack leaves behind is of fewer cases than the others': it is not compared.
    for mark in (tmp_path / "out").rglob("quick.done.json"):
        mark.unlink()
    text = write_results(plan, tmp_path / "page.md", "the command").read_text()
    assert "Not done yet." in text
    assert "page_dice_by_budget" not in text
    (tmp_path / "out" / "seat" / "seed0" / "train.done.json").unlink()
    assert "| seat | 2, unfinished |" in write_results(plan, tmp_path / "page.md", "the command").read_text()
