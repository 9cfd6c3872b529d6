"""What a run shows: a bar that counts what is done, and one line per epoch with the time that is left."""

import logging
import math
from types import SimpleNamespace

import pytest
from ignite.engine import Engine, Events

from seat_components.training import EvaluationProgress
from seat_components.training.progress import EpochLine, epoch_line

ROW = {"epoch": 1, "g": 2, "train_loss": 0.51234, "gradient_norm": 1.8254, "learning_rate": 0.01, "seconds": 40.0}


def test_an_epoch_in_one_line():
    row = {**ROW, "val_mean_dice": 0.7615}
    line = "Epoch 1 of 4: loss 0.5123, Dice 0.7615, g 2, K̃ 1.825, rate 0.01, 40 s, about 2 min left"
    assert epoch_line([row], 4, [2, 2, 2]) == line


def test_time_left_counts_the_backpropagations_to_come():
    assert "about 60 s left" in epoch_line([ROW], 3, [1, 2])
    assert "about 1 h 40 min left" in epoch_line([ROW], 3, [300])


def test_time_left_after_a_resume_is_not_of_the_machine_before(caplog):
    history = SimpleNamespace(rows=[{**ROW, "epoch": epoch, "seconds": 1.0} for epoch in range(1, 11)])
    engine = Engine(lambda *_: history.rows.append({**ROW, "epoch": engine.state.epoch}))
    EpochLine(history, SimpleNamespace(plan=lambda epochs: [2] * epochs)).attach(engine)
    engine.load_state_dict({"epoch": 10, "epoch_length": 1, "max_epochs": 12})
    with caplog.at_level(logging.INFO):
        engine.run([0])
    line = next(message for message in caplog.messages if message.startswith("Epoch 11 of 12"))
    assert "about 40 s left" in line


def test_the_last_epoch_has_no_time_left_and_what_was_not_measured_is_not_said():
    line = epoch_line([{**ROW, "gradient_norm": math.nan, "val_mean_dice": None}], 1, [])
    assert line == "Epoch 1 of 1: loss 0.5123, g 2, rate 0.01, 40 s"


def test_a_bar_counts_finished_steps(capsys):
    seen = []
    progress = EvaluationProgress("Cases")
    engine = Engine(lambda *_: seen.append(progress._bar.n))
    progress.attach(engine)
    engine.run([0] * 3, max_epochs=1)
    assert seen == [0, 1, 2]
    assert progress._bar is None
    assert "Cases" in capsys.readouterr().err


@pytest.mark.parametrize("done", [1, 2])
def test_a_bar_goes_on_where_an_epoch_was_left(done):
    progress = EvaluationProgress("Cases")
    engine = Engine(lambda *_: None)
    progress.attach(engine)
    engine.load_state_dict({"iteration": 3 + done, "epoch_length": 3, "max_epochs": 2})
    starts = []
    engine.add_event_handler(Events.EPOCH_STARTED, lambda: starts.append(progress._bar.n))
    engine.run([0] * 3)
    assert starts == [done]
