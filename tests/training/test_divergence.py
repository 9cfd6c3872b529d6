"""A training whose loss or weights are not finite ends before it replaces good weights."""

import math

import pytest
import torch
from harness import batches, network, optimizer, trainer

from seat_components.refusals import RefusalError
from seat_components.training import (
    CleanUpdate,
    FixedSchedule,
    FreeUpdate,
    PGDUpdate,
    RandomUpdate,
    TrainingCheckpoint,
)
from seat_components.training.stopping import non_finite, refuse_divergence

UPDATES = {"clean": CleanUpdate, "random": RandomUpdate, "FREE": lambda: FreeUpdate(4), "PGD": PGDUpdate}


@pytest.mark.parametrize("method", UPDATES)
def test_a_rate_that_is_too_high_ends_the_training(method):
    net = network()
    engine = trainer(
        net,
        UPDATES[method](),
        batches(),
        epochs=3,
        schedule=FixedSchedule(2),
        optimizer=torch.optim.SGD(net.parameters(), lr=1e38),
    )
    with pytest.raises(RefusalError, match=r"diverged in epoch \d: .* at learning rate 1e\+38.*lower --learning_rate"):
        engine.run()


def test_a_training_that_goes_well_is_left_alone():
    engine = trainer(network(), CleanUpdate(), batches(), epochs=2)
    engine.run()
    assert engine.state.epoch == 2
    assert math.isfinite(engine.state.train_loss)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_every_weight_and_buffer_counts(value):
    net = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 1), torch.nn.BatchNorm3d(2))
    assert non_finite(net) == []
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            before = tensor.flatten()[0].clone()
            tensor.flatten()[0] = value
            assert non_finite(net) == [name]
            tensor.flatten()[0] = before


def engine_with(scaler, loss, norm):
    engine = trainer(network(), CleanUpdate(), batches())
    engine.scaler, engine.state.train_loss, engine.state.gradient_norm = scaler, loss, norm
    return engine


def test_under_amp_a_batch_that_overflows_is_no_divergence_but_an_epoch_without_a_step_is():
    scaler = torch.amp.GradScaler("cpu")
    refuse_divergence(engine_with(scaler, math.nan, 1.0))
    with pytest.raises(RefusalError, match="no step was made"):
        refuse_divergence(engine_with(scaler, math.nan, math.nan))
    with pytest.raises(RefusalError, match="mean loss is nan"):
        refuse_divergence(engine_with(None, math.nan, 1.0))


def test_no_checkpoint_is_made_of_a_diverged_state(tmp_path):
    net = network()
    engine = trainer(net, CleanUpdate(), batches(), epochs=2, optimizer=optimizer(net))
    checkpoint = TrainingCheckpoint(tmp_path, {"network": net}, stop_after_minutes=1e-9)
    checkpoint.attach(engine)

    def spoil():
        with torch.no_grad():
            next(net.parameters()).fill_(math.nan)

    engine.add_event_handler("GET_BATCH_COMPLETED", spoil)
    with pytest.raises(RefusalError, match="diverged"):
        engine.run()
    assert not checkpoint.path.exists()
