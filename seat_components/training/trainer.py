"""The trainer of a robust training: it builds what a run needs beside its update, in the one order that is right."""

from __future__ import annotations

import inspect
import logging
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.handlers import LrScheduleHandler
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seat_components.networks.pretrained import unwrap
from seat_components.refusals import refuse
from seat_components.training.checkpoint import TrainingCheckpoint
from seat_components.training.handlers import DataOrder, TrackedStatistics, Validation
from seat_components.training.history import TrainingHistory
from seat_components.training.methods import FreeUpdate, PerturbedUpdate
from seat_components.training.operators import OperatorForm, OperatorTrial
from seat_components.training.overfitting import OverfittingProbe
from seat_components.training.parts import Stateful
from seat_components.training.progress import EpochLine, TrainingProgress
from seat_components.training.schedule import FixedSchedule
from seat_components.training.timing import EpochTiming
from seat_components.training.update import TrainingUpdate, share_out
from seat_components.training.weights import WeightSaver

logger = logging.getLogger(__name__)


class RobustTrainer(SupervisedTrainer):
    """MONAI's ``SupervisedTrainer`` with all that a run is made of, so that a resumed run is an uninterrupted one.

    At an epoch's end, in this order: what the epoch measured becomes the trainer's metrics, the learning rate takes its
    step, the network is validated and overfitting looked for, ``train_handlers`` do what they do, the schedule sets the
    next g, the best weights are kept, the history gets its row, and the checkpoint stores what all of these have done.
    Handlers given as ``train_handlers`` are additions: none of them takes the place of these.

    Args:
        network: what is trained.
        optimizer: of the network's parameters.
        iteration_update: the training method.
        schedule: how many backpropagations a batch gets.
        max_epochs: how many epochs it trains, 1 or more.
        ckpt_dir: where ``model.pt``, ``model_final.pt`` and the training checkpoint go.
        output_dir: where ``training_history.csv`` and ``timing.csv`` go.
        lr_scheduler: of the optimiser, stepped once an epoch; None keeps the rate.
        validator: MONAI evaluator whose key metric says which weights are the best; None never validates.
        val_interval: epochs between two validations; the last epoch is validated in any case.
        probe_overfitting: look for catastrophic overfitting at each validation, where training is adversarial.
        label_names: label value → class, the background first; the others stand in the history.
        resume: go on from the checkpoint in ``ckpt_dir``; without one, start afresh and say so.
        stop_after_minutes: stop, with a checkpoint, after this time; None never does.
        operators: the form of the network's operators that was asked for: "fast", "stock", or "auto", by which a run
            on a GPU times both with its first batch. A resumed run keeps its own.
        settings: name → value of what the run is trained with; a resumed run says where one has changed,
            and is refused where it is the budget.
        train_handlers: further handlers.
        trainer: the other arguments of ``SupervisedTrainer``, by their names. Gradients are set to None, unless they
            say otherwise; so do they for MONAI's way of decollating, which waits for the device.

    Attributes:
        history, checkpoint: the run's.

    Raises:
        RefusalError: if ``max_epochs`` or ``stop_after_minutes`` is not positive; if the checkpoint to resume cannot
            be read, or is not of this training.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        optimizer: Optimizer,
        iteration_update: TrainingUpdate,
        schedule: FixedSchedule,
        max_epochs: int,
        ckpt_dir: str | Path,
        output_dir: str | Path,
        lr_scheduler: LRScheduler | None = None,
        validator: Engine | None = None,
        val_interval: int = 1,
        probe_overfitting: bool = True,
        label_names: Mapping[str, str] | None = None,
        resume: bool = False,
        stop_after_minutes: float | None = None,
        operators: str = "auto",
        settings: Mapping[str, Any] | None = None,
        train_handlers: Sequence[Any] | None = None,
        **trainer: Any,
    ) -> None:
        if max_epochs < 1:
            refuse(f"max_epochs is {max_epochs}, but a training has 1 epoch or more.")
        probe = None
        if probe_overfitting and validator is not None and isinstance(iteration_update, PerturbedUpdate):
            probe = OverfittingProbe(iteration_update, val_interval)
        first = [
            TrackedStatistics(),
            *([] if lr_scheduler is None else [LrScheduleHandler(lr_scheduler, print_lr=False)]),
            *([] if validator is None else [Validation(interval=val_interval, validator=validator)]),
            *([] if probe is None else [probe]),
            DataOrder(),
            TrainingProgress(),
            EpochTiming(output_dir),
        ]
        handlers = [*first, *(train_handlers or ())]
        trainer = {"optim_set_to_none": True, "decollate": False, **trainer}
        super().__init__(
            network=network,
            optimizer=optimizer,
            iteration_update=iteration_update,
            max_epochs=max_epochs,
            train_handlers=handlers,
            **trainer,
        )
        if not trainer["decollate"]:
            self.add_event_handler(IterationEvents.MODEL_COMPLETED, share_out)
        if (
            operators == "auto"
            and torch.device(self.state.device).type == "cuda"
            and hasattr(unwrap(network), "operators")
        ):
            OperatorTrial(iteration_update.pieces).attach(self)
        saver = WeightSaver(network, ckpt_dir, validator)
        classes = list((label_names or {}).values())[1:]
        self.history = TrainingHistory(output_dir, optimizer, schedule, classes, validator)
        parts: dict[str, Stateful] = {
            "network": network,
            "optimizer": optimizer,
            **({} if lr_scheduler is None else {"lr_scheduler": lr_scheduler}),
            "schedule": schedule,
            "update": iteration_update,
            "weight_saver": saver,
            "history": self.history,
            **({} if probe is None else {"overfitting": probe}),
            **({"operators": OperatorForm(network, operators)} if hasattr(unwrap(network), "operators") else {}),
        }
        self.checkpoint = TrainingCheckpoint(
            ckpt_dir, parts, resume, stop_after_minutes, settings, optional=("overfitting", "operators")
        )
        for last in (schedule, saver, self.history, EpochLine(self.history, schedule), self.checkpoint):
            last.attach(self)
        if "validation_cases" in self.checkpoint.changed:
            saver.forget_best("Dice of other validation cases does not compare with that of the run so far.")
        if isinstance(iteration_update, FreeUpdate) and isinstance(schedule, FixedSchedule) and schedule.is_clean:
            logger.warning("g is 1 in every epoch, which trains clean, on no attacked image: take 2 or more.")

    @property
    def stopped_by(self) -> signal.Signals | None:
        """The signal that has stopped the training before its end; None if none has."""
        return self.checkpoint.stopped_by


def _signature() -> inspect.Signature:
    """The trainer's arguments, those that it passes on among them, by which a misspelt override is found."""
    own = inspect.signature(RobustTrainer.__init__).parameters.values()
    stock = inspect.signature(SupervisedTrainer).parameters.values()
    taken = {parameter.name: parameter for parameter in own if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
    passed = {parameter.name: parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in stock}
    return inspect.Signature([*{**passed, **taken}.values()])


RobustTrainer.__signature__ = _signature()
