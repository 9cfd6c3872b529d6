"""Checkpoints of runs on several machines, and of runs that move from a CPU to a GPU (for the rest see test_resume)."""

import shlex
import subprocess

import pytest
import torch
from harness import batches, network, optimizer, trainer

from seat_components.refusals import RefusalError
from seat_components.training import (
    CleanUpdate,
    FixedSchedule,
    FreeUpdate,
    PGDUpdate,
    SelfAdaptiveSchedule,
    TrainingCheckpoint,
)
from seat_components.training import checkpoint as module


@pytest.fixture
def engine():
    net = network()
    return trainer(net, CleanUpdate(), [], optimizer=optimizer(net))


@pytest.mark.parametrize("here", [True, False])
def test_a_checkpoint_that_not_all_machines_see_is_refused(tmp_path, monkeypatch, engine, here):
    if here:
        (tmp_path / TrainingCheckpoint.FILE_NAME).touch()
    monkeypatch.setattr(module.idist, "get_world_size", lambda: 2)
    # The other process finds the opposite.
    monkeypatch.setattr(module.idist, "all_reduce", lambda value: value + (not here))
    with pytest.raises(RefusalError, match="1 of 2 processes only"):
        TrainingCheckpoint(tmp_path, {}, resume=True).attach(engine)


def test_a_resume_without_any_checkpoint_starts_afresh_on_all_machines(tmp_path, monkeypatch, engine, caplog):
    monkeypatch.setattr(module.idist, "get_world_size", lambda: 2)
    monkeypatch.setattr(module.idist, "all_reduce", lambda value: value)
    TrainingCheckpoint(tmp_path, {}, resume=True).attach(engine)
    assert "starts afresh" in caplog.text


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (
            {"schedule": SelfAdaptiveSchedule()},
            {"schedule": FixedSchedule(5)},
            "SelfAdaptiveSchedule, not a FixedSchedule",
        ),
        ({"update": FreeUpdate(2)}, {"update": PGDUpdate()}, "FreeUpdate, not a PGDUpdate"),
    ],
)
def test_the_checkpoint_of_another_method_is_refused(tmp_path, engine, before, now, words):
    engine.state.epoch_length, engine.state.max_epochs = 1, 2
    TrainingCheckpoint(tmp_path, before).save(engine)
    with pytest.raises(RefusalError, match=words):
        TrainingCheckpoint(tmp_path, now, resume=True).attach(engine)
    TrainingCheckpoint(tmp_path, before, resume=True).attach(engine)


def test_another_budget_is_not_resumed_with(tmp_path, engine):
    """A checkpoint that does not say has the budget that all had before."""
    engine.state.epoch_length, engine.state.max_epochs = 1, 2
    for said in ({}, {"budget": "range"}):
        TrainingCheckpoint(tmp_path, {}, settings=said).save(engine)
        TrainingCheckpoint(tmp_path, {}, resume=True, settings={"budget": "range"}).attach(engine)
        with pytest.raises(RefusalError, match=r"with --budget range, but this one has contrast.*finetune\.json"):
            TrainingCheckpoint(tmp_path, {}, resume=True, settings={"budget": "contrast"}).attach(engine)


def test_a_run_begun_on_a_cpu_goes_on_with_amp(tmp_path, engine):
    """On a CPU the loss scaler is switched off, and its state empty."""
    engine.state.epoch_length, engine.state.max_epochs = 1, 2
    engine.scaler = torch.amp.GradScaler("cpu", enabled=False)
    TrainingCheckpoint(tmp_path, {}).save(engine)
    engine.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    checkpoint = TrainingCheckpoint(tmp_path, {}, resume=True)
    checkpoint.attach(engine)
    checkpoint._on_start(engine)
    checkpoint.stop.end()
    assert engine.scaler.get_scale() == 8


def run(folder, epochs, resume=False, **settings):
    net = network()
    opt = optimizer(net)
    engine = trainer(net, CleanUpdate(), batches(sizes=(2, 2)), epochs, optimizer=opt)
    TrainingCheckpoint(folder, {"network": net, "optimizer": opt}, resume, settings=settings).attach(engine)
    engine.run()
    return {name: value.clone() for name, value in net.state_dict().items()}


def test_the_newest_two_are_kept_and_both_go_on(tmp_path):
    whole = run(tmp_path / "whole", 3)
    folder = tmp_path / "stopped"
    run(folder, 2)
    newest, previous = folder / TrainingCheckpoint.FILE_NAME, folder / TrainingCheckpoint.PREVIOUS_NAME
    positions = [torch.load(file, weights_only=True)["position"]["iteration"] for file in (newest, previous)]
    assert positions == [4, 2]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content[:-100])
    with pytest.raises(RefusalError, match="cannot be read") as caught:
        run(folder, 3, resume=True)
    words = shlex.split(str(caught.value).splitlines()[-1])
    assert words == ["mv", str(previous), str(newest)]
    subprocess.run(words, check=True)
    assert all(torch.equal(value, whole[name]) for name, value in run(folder, 3, resume=True).items())


def test_the_checkpoints_of_an_earlier_run_are_not_kept_beside_those_of_a_new_one(tmp_path):
    run(tmp_path, 3)
    run(tmp_path, 1)
    assert not (tmp_path / TrainingCheckpoint.PREVIOUS_NAME).exists()
    run(tmp_path, 2, resume=True)
    previous = torch.load(tmp_path / TrainingCheckpoint.PREVIOUS_NAME, weights_only=True)
    assert previous["position"]["iteration"] == 2


def test_a_run_that_starts_afresh_keeps_the_newest_checkpoint_of_the_one_before(tmp_path, caplog):
    """Whoever forgets resume.json, sees so and stops at once, has lost nothing."""
    whole = run(tmp_path / "whole", 4)
    run(tmp_path, 3)
    run(tmp_path, 1)
    newest, replaced = tmp_path / TrainingCheckpoint.FILE_NAME, tmp_path / "training_checkpoint_replaced.pt"
    assert f"is kept as {replaced.name}" in caplog.text
    replaced.replace(newest)
    resumed = run(tmp_path, 4, resume=True)
    assert all(torch.equal(value, whole[name]) for name, value in resumed.items())


def test_where_only_the_previous_one_is_left_resuming_asks_for_it(tmp_path):
    run(tmp_path, 2)
    (tmp_path / TrainingCheckpoint.FILE_NAME).unlink()
    with pytest.raises(RefusalError, match="give this command, then resume again"):
        run(tmp_path, 3, resume=True)


def test_settings_that_have_changed_are_said_in_a_line_each(tmp_path, caplog):
    run(tmp_path, 1, seed=0, learning_rate=0.01, patch_size=(8, 8, 8), eps_255=8)
    run(tmp_path, 2, resume=True, seed=0, learning_rate=0.01, patch_size=[8, 8, 8], eps_255=8)
    assert " was " not in caplog.text
    run(tmp_path, 3, resume=True, seed=1, learning_rate=0.02, patch_size=[8, 8, 8], augment_noise=0.25)
    said = [line for line in caplog.messages if " was " in line]
    assert [line.split()[0] for line in said] == ["seed", "learning_rate", "eps_255", "augment_noise"]
    assert "keeps 0.01" in said[1]
    assert "now not set" in said[2]
    assert "was not set in the run that is resumed, and is now 0.25" in said[3]


def test_a_run_that_would_choose_its_weights_by_other_dice_is_refused(tmp_path):
    """Whether that on clean images or that under attack comes first, the other's best says nothing."""
    run(tmp_path, 1, val_images="APGD, 5 steps")
    with pytest.raises(RefusalError, match="most Dice on APGD, 5 steps images, and this one would choose by clean"):
        run(tmp_path, 2, resume=True, val_images="clean")
    run(tmp_path, 2, resume=True, val_images="APGD, 5 steps")


def test_fewer_epochs_than_are_done_are_refused_with_both_numbers(tmp_path):
    run(tmp_path, 3)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(RefusalError, match=r"3 epochs done, but this one is to end after 2"):
        run(tmp_path, 2, resume=True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
