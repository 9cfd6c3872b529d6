"""Which epoch's weights are kept: the clean start of a robust training is the best only while nothing else was seen."""

from types import SimpleNamespace

import pytest
import torch
from harness import batches, network, optimizer, trainer
from hypothesis import given, settings
from hypothesis import strategies as st
from ignite.engine import Engine, Events

from seat_components.training import CleanUpdate, TrainingCheckpoint, WeightSaver

DICE = st.lists(st.integers(0, 9), min_size=1, max_size=8)


class Replays:
    """A schedule of given numbers of backpropagations, one per epoch."""

    def __init__(self, numbers):
        self.numbers = numbers

    def attach(self, engine):
        def publish():
            engine.state.replays = self.numbers[min(engine.state.epoch, len(self.numbers) - 1)]

        engine.add_event_handler(Events.STARTED, publish)
        engine.add_event_handler(Events.EPOCH_COMPLETED, publish)


def validator(engine, dice):
    """An evaluator's state as MONAI keeps it, with the Dice ``dice`` in turn; validates every epoch."""
    evaluator = Engine(lambda *_: None)
    evaluator.state.best_metric, evaluator.state.best_metric_epoch = -1, -1
    evaluator.state.key_metric_name = "val_mean_dice"

    def validate():
        value, state = dice[engine.state.epoch - 1], evaluator.state
        if state.best_metric_epoch == -1 or value > state.best_metric:
            state.best_metric, state.best_metric_epoch = value, engine.state.epoch

    engine.add_event_handler(Events.EPOCH_COMPLETED, validate)
    return evaluator


def run(folder, replays, dice, epochs, resume=False):
    """Train, with the epoch's number as the only weight; gives which epoch model.pt is of."""
    net = network()
    engine = trainer(net, CleanUpdate(), batches(sizes=(1,)), epochs, Replays(replays), optimizer=optimizer(net))
    evaluator = validator(engine, dice)
    marked = torch.nn.Linear(1, 1)

    def mark():
        torch.nn.init.constant_(marked.weight, engine.state.epoch)

    engine.add_event_handler(Events.EPOCH_STARTED, mark)
    saver = WeightSaver(marked, folder, evaluator)
    saver.attach(engine)
    TrainingCheckpoint(folder, {"weight_saver": saver}, resume=resume).attach(engine)
    engine.run()
    return int(torch.load(folder / "model.pt", weights_only=True)["weight"])


def expected(replays, dice):
    """The first best of the epochs that count."""
    adversarial = [epoch for epoch, number in enumerate(replays) if number > 1]
    first = adversarial[0] if adversarial else 0
    return 1 + max(range(first, len(dice)), key=lambda epoch: (dice[epoch], -epoch))


@settings(max_examples=25)  # each trains three times, in files
@given(dice=DICE, clean=st.integers(0, 8), split=st.integers(1, 8))
def test_clean_first_epochs_count_only_if_no_other_follows_also_after_a_resumption(
    dice, clean, split, tmp_path_factory
):
    replays = [1 if epoch < clean else 2 for epoch in range(len(dice))]
    folder = tmp_path_factory.mktemp("run")
    assert run(folder, replays, dice, len(dice)) == expected(replays, dice)
    resumed = tmp_path_factory.mktemp("resumed")
    run(resumed, replays, dice, min(split, len(dice)))
    assert run(resumed, replays, dice, len(dice), resume=True) == expected(replays, dice)


def test_a_clean_phase_after_the_first_attacked_epoch_counts(tmp_path):
    assert run(tmp_path, [1, 2, 1, 2], [9, 3, 5, 4], 4) == 3


@pytest.mark.parametrize(
    ("replays", "words"), [([1, 1, 2, 2], "epoch 4, the best of those validated"), ([1] * 4, "epoch 1, the best")]
)
def test_the_console_says_which_epoch_was_kept_and_why(tmp_path, caplog, replays, words):
    with caplog.at_level("INFO"):
        run(tmp_path, replays, [9, 8, 2, 3], 4)
    assert words in caplog.text
    assert ("clean epochs 1 to 2 no longer count" in caplog.text) is (replays[-1] == 2)


def test_weights_without_any_validation_are_the_last(tmp_path, caplog):
    saver = WeightSaver(torch.nn.Linear(1, 1), tmp_path)
    with caplog.at_level("INFO"):
        saver._keep_final(SimpleNamespace(state=SimpleNamespace(epoch=7)))
    assert "epoch 7, the last, as no epoch was validated" in caplog.text
    assert (tmp_path / "model.pt").is_file()
