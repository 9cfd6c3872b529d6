"""Handlers of a run: AMP's scale stays out of K̃, history and weights say what happened, order follows the epoch."""

import csv
import os
import signal

import pytest
import torch
from harness import batches, network, optimizer, trainer
from ignite.engine import Events
from monai.engines import SupervisedEvaluator

from seat_components.data import EpochSampler
from seat_components.evaluation import ForegroundDice
from seat_components.training import (
    CleanUpdate,
    DataOrder,
    FixedSchedule,
    FreeUpdate,
    TrainingHistory,
    Validation,
    WeightSaver,
)
from seat_components.training.stopping import StopRequest


def weights(net):
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


@pytest.mark.parametrize("g", [1, 3])
def test_the_loss_scale_of_amp_changes_neither_weights_nor_noise_nor_norm(g):
    results = []
    for scale in (None, 2.0**10):
        net, update = network(), FreeUpdate(batch_size=4)
        engine = trainer(net, update, batches(), 1, FixedSchedule(g))
        if scale is not None:
            scaler = torch.amp.GradScaler("cpu", init_scale=scale)
            engine.amp_kwargs = {"enabled": False}
            engine.add_event_handler(Events.STARTED, lambda e, scaler=scaler: setattr(e, "scaler", scaler))
        engine.run()
        results.append((weights(net), update.state_dict()["noise"], engine.state.gradient_norm))
    (plain, noise, norm), (scaled, scaled_noise, scaled_norm) = results
    # A power of two scales without rounding, so that even the bits agree.
    assert torch.equal(plain, scaled)
    assert noise is scaled_noise is None or torch.equal(noise, scaled_noise)
    assert scaled_norm == norm


def validator(net, data):
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=data,
        network=net,
        postprocessing=lambda item: {**item, "pred": item["pred"].argmax(dim=0, keepdim=True)},
        key_val_metric={"val_mean_dice": ForegroundDice(classes=3)},
    )


def run(tmp_path, epochs, interval, schedule=None):
    net, data = network(), batches(sizes=(2, 2))
    opt = optimizer(net)
    evaluator = validator(net, data)
    schedule = schedule or FixedSchedule(2)
    update = FreeUpdate(batch_size=2)
    handlers = [Validation(interval=interval, validator=evaluator)] if interval else []
    engine = trainer(net, update, data, epochs, schedule, optimizer=opt)
    for handler in handlers:
        handler.attach(engine)
    saver = WeightSaver(net, tmp_path, evaluator)
    saver.attach(engine)
    TrainingHistory(tmp_path, opt, schedule, ["left", "right"], evaluator).attach(engine)
    engine.run()
    with (tmp_path / "training_history.csv").open() as file:
        return net, list(csv.DictReader(file)), saver


def test_history_has_a_row_per_epoch_and_validation_where_there_was_one(tmp_path):
    _, rows, _ = run(tmp_path, epochs=5, interval=2)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [bool(row["val_mean_dice"]) for row in rows] == [False, True, False, True, True]
    assert [float(row["backpropagations"]) for row in rows] == [2, 4, 6, 8, 10]
    for row in rows:
        assert row["g"] == "2"
        assert row["threshold"] == ""
        assert float(row["gradient_norm"]) > 0
        assert float(row["train_loss"]) > 0
        assert float(row["learning_rate"]) == 0.05
        if row["val_mean_dice"]:
            per_class = (float(row["val_dice_left"]) + float(row["val_dice_right"])) / 2
            assert float(row["val_mean_dice"]) == pytest.approx(per_class, abs=1e-6)


def test_best_and_final_weights_are_bare_state_dicts(tmp_path):
    net, rows, saver = run(tmp_path, epochs=4, interval=1)
    final = torch.load(tmp_path / "model_final.pt", weights_only=True)
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in final.items())
    dice = [float(row["val_mean_dice"]) for row in rows]
    assert saver.state_dict()["best_metric"] == pytest.approx(max(dice))
    best = network()
    best.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    evaluator = validator(best, batches(sizes=(2, 2)))
    evaluator.run()
    assert evaluator.state.metrics["val_mean_dice"] == pytest.approx(max(dice))


def test_a_run_that_never_validates_still_leaves_a_model(tmp_path):
    run(tmp_path, epochs=1, interval=None)
    model, final = (torch.load(tmp_path / name, weights_only=True) for name in ("model.pt", "model_final.pt"))
    assert all(torch.equal(model[name], final[name]) for name in final)


def test_weights_that_would_be_replaced_are_named_before_training(tmp_path, caplog):
    run(tmp_path, epochs=1, interval=None)
    assert "will be replaced" not in caplog.text
    run(tmp_path, epochs=1, interval=None)
    assert f"{tmp_path / 'model.pt'} is there already and will be replaced" in caplog.text


def test_the_order_follows_the_trainers_epoch_also_in_the_middle_of_one():
    class Loader(list):
        batch_size = 2
        sampler = EpochSampler(4)

    net = network()
    engine = trainer(net, CleanUpdate(), Loader(batches(sizes=(2, 2))), 3, FixedSchedule(1))
    DataOrder().attach(engine)
    positions = []
    engine.add_event_handler(
        Events.EPOCH_STARTED, lambda: positions.append((Loader.sampler.epoch, Loader.sampler.first_sample))
    )
    engine.state.iteration = 1
    engine.run()
    assert positions == [(0, 2), (1, 0), (2, 0)]


def test_a_signal_asks_for_a_stop_and_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGTERM)
    stop = StopRequest()
    stop.start()
    assert not stop.asked()
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.asked()
    assert signal.getsignal(signal.SIGTERM) is before
