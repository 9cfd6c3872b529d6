"""A run that was interrupted and resumed equals the uninterrupted one, bit for bit."""

import csv
import os
import signal
import time
from pathlib import Path

import pytest
import torch
import warm_start
from bundle_runs import SMALL, command, run, save_unet, workflow
from ignite.engine import Events

from seat_components.training import TrainingCheckpoint


def history(folder):
    with (folder / "training_history.csv").open() as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def same(first, second):
    """Whether two checkpoints hold the same, apart from wall time."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first if key != "seconds")
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def assert_same_run(one, other):
    for name in ("training_checkpoint.pt", "model.pt", "model_final.pt"):
        loaded = [torch.load(folder / name, weights_only=True) for folder in (one, other)]
        assert same(*loaded), name
    assert history(one) == history(other)


def overrides(data, folder, configs=(), **more):
    if "finetune" in configs:
        more |= {"pretrained": str(save_unet(folder.with_suffix(".pt"), in_channels=2)), "new_head": True}
    return {**SMALL, "dataset_dir": str(data), "ckpt_dir": str(folder), "output_dir": str(folder), **more}


# The last starts from weights of a network for other channels.
METHODS = {"SEAT": [], "PGD": ["pgd"], "random": ["random", "finetune"]}


@pytest.fixture(scope="module")
def uninterrupted(bundle, task04_phantom, tmp_path_factory):
    """One uninterrupted run per method, made when first asked for."""
    made = {}

    def folder(method):
        if method not in made:
            made[method] = tmp_path_factory.mktemp(method)
            options = overrides(task04_phantom, made[method], METHODS[method])
            workflow(bundle, ["train", *METHODS[method]], **options).run()
        return made[method]

    return folder


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
# Epochs have two batches: iteration 3 is in the middle of the second epoch, iteration 4 at its end.
@pytest.mark.parametrize("iteration", [3, 4])
def test_sigterm_and_resume(bundle, task04_phantom, tmp_path, uninterrupted, method, iteration):
    configs = ["train", *METHODS[method]]
    flow = workflow(bundle, configs, **overrides(task04_phantom, tmp_path, configs))
    trainer = flow.parser.get_parsed_content("train#trainer")
    terminate = Events.ITERATION_STARTED(once=iteration)
    trainer.add_event_handler(terminate, lambda: os.kill(os.getpid(), signal.SIGTERM))
    flow.run()
    assert trainer.state.iteration == iteration
    assert not (tmp_path / "model_final.pt").exists()
    workflow(bundle, [*configs, "resume"], **overrides(task04_phantom, tmp_path, configs, num_workers=1)).run()
    assert_same_run(uninterrupted(method), tmp_path)


@pytest.mark.slow
def test_a_time_limit_and_resume(bundle, task04_phantom, tmp_path, uninterrupted):
    limits = [1e-4, 1e-4, 60]
    for limit in limits:
        options = overrides(task04_phantom, tmp_path, stop_after_minutes=limit)
        workflow(bundle, ["train", "resume"], **options).run()
    assert_same_run(uninterrupted("SEAT"), tmp_path)


@pytest.mark.slow
def test_kill_and_resume_on_the_command_line(bundle, task04_phantom, tmp_path, uninterrupted):
    words = command(bundle, ["train"], **overrides(task04_phantom, tmp_path))
    with Path(os.devnull).open("w") as nothing:
        process = warm_start.start(words, nothing)
    checkpoint = tmp_path / TrainingCheckpoint.FILE_NAME
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    result = run(bundle, ["train", "resume"], **overrides(task04_phantom, tmp_path))
    assert result.returncode == 0, result.stdout
    assert_same_run(uninterrupted("SEAT"), tmp_path)


@pytest.mark.slow
def test_a_finished_run_is_left_alone_and_an_extended_one_keeps_its_milestones(bundle, task04_phantom, tmp_path):
    workflow(bundle, ["train"], **overrides(task04_phantom, tmp_path)).run()
    before = {file.name: file.read_bytes() for file in tmp_path.glob("*.pt")}
    workflow(bundle, ["train", "resume"], **overrides(task04_phantom, tmp_path)).run()
    assert {file.name: file.read_bytes() for file in tmp_path.glob("*.pt")} == before
    workflow(bundle, ["train", "resume"], **overrides(task04_phantom, tmp_path, epochs=6)).run()
    rows = history(tmp_path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    # Divided by ten at 50 % and 75 % of the first start's four epochs, not of six.
    rates = [float(row["learning_rate"]) for row in rows]
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.0001, 0.0001, 0.0001])


@pytest.mark.slow
def test_a_run_killed_after_its_last_checkpoint_gets_its_final_weights(bundle, task04_phantom, tmp_path):
    options = overrides(task04_phantom, tmp_path, epochs=1)
    workflow(bundle, ["train"], **options).run()
    before = {name: (tmp_path / name).read_bytes() for name in ("model.pt", "model_final.pt")}
    (tmp_path / "model_final.pt").unlink()
    workflow(bundle, ["train", "resume"], **options).run()
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_resume_without_a_checkpoint_starts_afresh_and_says_so(bundle, task04_phantom, tmp_path, capfd):
    workflow(bundle, ["train", "resume"], **overrides(task04_phantom, tmp_path))
    assert "to resume from: this run starts afresh" in capfd.readouterr().out


def test_a_broken_checkpoint_is_refused(bundle, task04_phantom, tmp_path):
    (tmp_path / TrainingCheckpoint.FILE_NAME).write_bytes(b"half a file")
    with pytest.raises(RuntimeError) as caught:
        workflow(bundle, ["train", "resume"], **overrides(task04_phantom, tmp_path))
    assert "cannot be read as a training checkpoint" in str(caught.value.__cause__)
