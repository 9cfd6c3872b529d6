"""The trainer owns the order of a run's handlers: what is added to them takes nothing away and changes no resume."""

import inspect

import pytest
from ignite.engine import Events
from monai.engines import SupervisedTrainer
from robust_runs import EPOCHS, outcome, rows, trainer

from seat_components.refusals import RefusalError
from seat_components.training import RobustTrainer


class Onlooker:
    """A handler of one's own: it keeps the trainer's metrics of each epoch."""

    def __init__(self, seen):
        self.seen = seen

    def attach(self, engine):
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda e: self.seen.append(dict(e.state.metrics)))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    trainer(folder).run()
    return outcome(folder)


@pytest.mark.parametrize("stop_at", range(1, 3 * EPOCHS))
@pytest.mark.parametrize("handlers", [None, []], ids=["none", "an empty list"])
def test_stopped_at_any_batch_and_resumed_is_uninterrupted(tmp_path, uninterrupted, stop_at, handlers):
    engine = trainer(tmp_path, handlers=handlers)
    engine.add_event_handler(
        Events.ITERATION_STARTED(once=stop_at), lambda: setattr(engine.checkpoint.stop, "reason", "x")
    )
    engine.run()
    assert engine.state.iteration == stop_at
    trainer(tmp_path, resume=True).run()
    assert outcome(tmp_path) == uninterrupted


def test_additions_take_nothing_away(tmp_path, uninterrupted):
    seen = []
    trainer(tmp_path, handlers=[Onlooker(seen)]).run()
    assert outcome(tmp_path) == uninterrupted
    assert [row["val_mean_dice"] != "" for row in rows(tmp_path)] == [False, True, False, True]
    assert [float(row["learning_rate"]) for row in rows(tmp_path)] == pytest.approx([0.05, 0.05, 0.005, 0.0005])
    # Trackers among them find what the epoch measured, and the g that it had.
    assert [row["g"] for row in rows(tmp_path)] == [f"{metrics['g']:g}" for metrics in seen]
    assert (tmp_path / "timing.csv").is_file()


def test_without_validator_or_rate_schedule(tmp_path):
    trainer(tmp_path, validator=None, lr_scheduler=None).run()
    assert {row["learning_rate"] for row in rows(tmp_path)} == {"0.05"}
    assert {row["val_mean_dice"] for row in rows(tmp_path)} == {""}
    assert (tmp_path / "model.pt").is_file()
    trainer(tmp_path, resume=True, validator=None, lr_scheduler=None, max_epochs=EPOCHS + 1).run()
    assert len(rows(tmp_path)) == EPOCHS + 1


def test_its_arguments_are_named_with_those_that_it_passes_on():
    names = inspect.signature(RobustTrainer).parameters
    assert set(inspect.signature(SupervisedTrainer).parameters) < set(names)
    assert "trainer" not in names
    assert {"schedule", "validator", "val_interval"} <= set(names)


def test_a_run_that_diverges_keeps_the_weights_of_before(tmp_path):
    trainer(tmp_path, max_epochs=2).run()
    before = {file.name: file.read_bytes() for file in tmp_path.glob("*.pt")}
    engine = trainer(tmp_path, resume=True)
    engine.add_event_handler(Events.STARTED, lambda: engine.optimizer.param_groups[0].update(lr=1e38))
    with pytest.raises(RefusalError, match="diverged in epoch 3"):
        engine.run()
    assert {file.name: file.read_bytes() for file in tmp_path.glob("*.pt")} == before
