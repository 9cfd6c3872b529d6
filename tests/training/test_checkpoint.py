"""Checkpoints of runs on several machines, and of runs that move from a CPU to a GPU (for the rest see test_resume)."""

import pytest
import torch
from harness import network, optimizer, trainer

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
