"""What a plan's trainings will take, before the first of them: backpropagations, and hours on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from monai.bundle import ConfigParser

from seat_components.experiments.intervals import markdown_table
from seat_components.experiments.plan import Plan
from seat_components.experiments.run_configs import content_of, run_config
from seat_components.experiments.schedules import asked, schedule_of

_TIMED = 3
_NOTE = (
    "Where g follows K̃, as SEAT's does, it is that of a K̃ that stays the same. What examines the weights comes on top, "
    "and so does reading the data."
)


@dataclass(frozen=True)
class RunCost:
    """One run's trainings.

    Attributes:
        run: its name.
        epochs: those of one training; of a run that continues another, those that it adds.
        per_batch: backpropagations per batch of one training.
        batches: of an epoch.
        trainings: one per seed.
        seconds: of one backpropagation of a batch: of one core, or of the GPU.
    """

    run: str
    epochs: int
    per_batch: int
    batches: int
    trainings: int
    seconds: float

    @property
    def backpropagations(self) -> int:
        """Of batches, by all its trainings."""
        return self.per_batch * self.batches * self.trainings

    @property
    def hours(self) -> float:
        """For all its trainings."""
        return self.backpropagations * self.seconds / 3600


def costs_of(plan: Plan) -> list[RunCost]:
    """What each run of ``plan`` will take; times a few backpropagations of each kind of batch.

    On a CPU it is the cores' time that counts, which does not depend on what else the machine does.

    Raises:
        RefusalError: if the dataset does not hold what the fold lists, as training would say.
    """
    timed: dict[str, float] = {}
    counted: dict[str, int] = {}  # looking at every case takes its time
    costs = []
    for name, run in plan.runs.items():
        config = run_config(plan, name)
        replays = _planned(config)[0 if run.continues is None else len(_planned(run_config(plan, run.continues))) :]
        kind = str([config[key] for key in ("network_def", "batch_size", "patch_size", "loss", "device")])
        if kind not in timed:
            timed[kind] = _seconds(config)
        data = str([config[key] for key in ("dataset_dir", "fold", "folds", "cases", "train#dataset#data")])
        if data not in counted:
            counted[data] = len(content_of(config, "train#dataset#data"))
        batches = math.ceil(counted[data] / int(config["batch_size"]))
        costs.append(RunCost(name, len(replays), sum(replays), batches, len(plan.seeds_of(name)), timed[kind]))
    return costs


def costs_in_words(costs: Sequence[RunCost]) -> str:
    """A table of the costs, and what they come to."""
    rows = [
        [one.run, *map(str, (one.epochs, one.per_batch, one.backpropagations // one.trainings)), f"{one.hours:.2f}"]
        for one in costs
    ]
    header = ["run", "epochs", "backpropagations per batch", "in all, one training", "core hours, all seeds"]
    trainings, total = sum(one.trainings for one in costs), sum(one.backpropagations for one in costs)
    hours = sum(one.hours for one in costs)
    return (
        f"{markdown_table(header, rows)}\n{trainings} trainings, {total} backpropagations: about {hours:.1f} core "
        f"hours (on a GPU: hours of it). {_NOTE}"
    )


def _planned(config: ConfigParser) -> list[int]:
    """g of each epoch, of a K̃ that stays the same."""
    return asked(schedule_of(config), [1.0] * int(config["epochs"]))


def _seconds(config: ConfigParser) -> float:
    """Seconds of one backpropagation of a batch of noise: the least of a few, after one that warms up."""
    device = torch.device(content_of(config, "device"))
    network = content_of(config, "network").train()
    loss = content_of(config, "loss")
    batch, size = int(config["batch_size"]), config["patch_size"]
    image = torch.rand(batch, len(config["channel_names"]), *size, device=device)
    label = torch.randint(len(config["label_names"]), (batch, 1, *size), device=device)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    took = []
    for _ in range(_TIMED + 1):
        start = clock()
        # The gradient at the image as well, as a step on the perturbation needs it.
        output = loss(network(image.requires_grad_()), label)
        output.backward()
        # Asking for a value waits for the device.
        float(sum(part.grad.sum() for part in network.parameters() if part.grad is not None))
        took.append(clock() - start)
    return min(took[1:])
