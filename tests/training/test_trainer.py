"""The trainer owns the order of a run's handlers: what is added to them takes nothing away and changes no resume."""

import csv
import inspect

import pytest
import torch
from harness import CLASSES, loss_function, network
from ignite.engine import Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from seat_components.data import EpochSampler
from seat_components.evaluation import ForegroundDice
from seat_components.refusals import RefusalError
from seat_components.training import FreeUpdate, RobustTrainer, SelfAdaptiveSchedule

EPOCHS, BATCH = 4, 2


class Loader:
    """Batches of 6 samples in an order that the sampler draws anew each epoch."""

    batch_size = BATCH

    def __init__(self):
        self.sampler = EpochSampler(6, seed=1)
        generator = torch.Generator().manual_seed(1)
        self.images = torch.randn(6, 1, 6, 6, 6, generator=generator)
        self.labels = torch.randint(0, CLASSES, (6, 1, 6, 6, 6), generator=generator)

    def __len__(self):
        return 3

    def __iter__(self):
        # The sampler's keys count on from epoch to epoch.
        places = [key % 6 for key in self.sampler]
        for first in range(0, len(places), BATCH):
            some = places[first : first + BATCH]
            yield {"image": self.images[some], "label": self.labels[some]}


class Onlooker:
    """A handler of one's own: it keeps the trainer's metrics of each epoch."""

    def __init__(self, seen):
        self.seen = seen

    def attach(self, engine):
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda e: self.seen.append(dict(e.state.metrics)))


def trainer(folder, resume=False, handlers=None, **more):
    net, loader = network(), Loader()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    validator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=[{"image": loader.images[:2], "label": loader.labels[:2]}],
        network=net,
        postprocessing=lambda item: {**item, "pred": item["pred"].argmax(dim=0, keepdim=True)},
        key_val_metric={"val_mean_dice": ForegroundDice(classes=CLASSES)},
    )
    return RobustTrainer(
        **{
            "device": torch.device("cpu"),
            "max_epochs": EPOCHS,
            "train_data_loader": loader,
            "network": net,
            "optimizer": optimizer,
            "loss_function": loss_function(),
            "iteration_update": FreeUpdate(BATCH),
            "schedule": SelfAdaptiveSchedule(update_every=1, g_max=3),
            "lr_scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 3]),
            "validator": validator,
            "val_interval": 2,
            "label_names": {"0": "background", "1": "left", "2": "right"},
            "ckpt_dir": folder,
            "output_dir": folder,
            "resume": resume,
            "train_handlers": handlers,
            **more,
        }
    )


def rows(folder):
    with (folder / "training_history.csv").open() as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def outcome(folder):
    weights = torch.load(folder / "model_final.pt", weights_only=True)
    return rows(folder), [value.tolist() for value in weights.values()]


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
