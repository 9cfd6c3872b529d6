"""What a run shows while it goes on: a bar of finished steps, and one line per epoch of a training."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.handlers import from_engine
from tqdm import tqdm

from seat_components.training.history import TrainingHistory

logger = logging.getLogger(__name__)


class EvaluationProgress:
    """A bar of the cases that are done, on a line of its own, which goes when they all are; on the first process.

    Args:
        description: what stands before the bar.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self._bar: tqdm[Any] | None = None

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator or trainer."""
        if idist.get_rank() != 0:
            return
        engine.add_event_handler(Events.EPOCH_STARTED, self._open)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._advance)
        for event in (Events.EPOCH_COMPLETED, Events.TERMINATE):
            engine.add_event_handler(event, self._close)

    def _open(self, engine: Engine) -> None:
        self._close()
        total = engine.state.epoch_length
        done = engine.state.iteration % total if total else 0
        self._bar = tqdm(total=total, initial=done, desc=self._words(engine), leave=False, dynamic_ncols=True)

    def _advance(self, engine: Engine) -> None:
        if self._bar is not None:
            self._bar.set_postfix(self._values(engine), refresh=False)
            self._bar.update()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None

    def _words(self, engine: Engine) -> str:  # noqa: ARG002 - a training's bar says the epoch
        return self.description

    def _values(self, engine: Engine) -> dict[str, float]:  # noqa: ARG002 - a training's bar says the loss
        return {}


class TrainingProgress(EvaluationProgress):
    """A bar per epoch of the batches that are done, with the last one's loss and g; on the first process."""

    def __init__(self) -> None:
        super().__init__("Epoch")
        self._loss = from_engine(["loss"], first=True)

    def _words(self, engine: Engine) -> str:
        return f"{self.description} {engine.state.epoch}/{engine.state.max_epochs}"

    def _values(self, engine: Engine) -> dict[str, float]:
        return {"loss": float(self._loss(engine.state.output)), "g": engine.state.replays}


class EpochLine:
    """One line per finished epoch on the console, with about how long the run still takes; on the first process.

    Attach it after the history, whose last row it says. The time left is the mean time per backpropagation since this
    run began or was resumed (another machine may have done the epochs before), for those that the schedule asks for as
    far as it knows.

    Args:
        history: of this run.
        schedule: its ``plan``, if it has one, says g of the epochs to come.
    """

    def __init__(self, history: TrainingHistory, schedule: Any) -> None:
        self.history = history
        self.schedule = schedule
        self._resumed_after: int | None = None

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.EPOCH_STARTED, self._begin)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._say)

    def _begin(self) -> None:
        if self._resumed_after is None:
            self._resumed_after = len(self.history.rows)

    def _say(self, engine: Engine) -> None:
        done, epochs = engine.state.epoch, engine.state.max_epochs
        plan = getattr(self.schedule, "plan", lambda count: [engine.state.replays] * count)
        logger.info(epoch_line(self.history.rows[self._resumed_after :], epochs, plan(epochs)[done:]))


def epoch_line(rows: Sequence[dict[str, Any]], epochs: int, coming: Sequence[int]) -> str:
    """What the last row says, in words.

    Args:
        rows: of the history, as ``TrainingHistory.rows`` holds them: those whose time tells that of the epochs left.
        epochs: of the whole run.
        coming: g of each epoch that is left.
    """
    row = rows[-1]
    left = sum(r["seconds"] for r in rows) / sum(r["g"] for r in rows) * sum(coming)
    parts = [
        f"loss {row['train_loss']:.4f}",
        *([f"Dice {row['val_mean_dice']:.4f}"] if row.get("val_mean_dice") is not None else []),
        f"g {row['g']}",
        *([f"K̃ {row['gradient_norm']:.4g}"] if math.isfinite(row["gradient_norm"]) else []),
        f"rate {row['learning_rate']:.3g}",
        _duration(row["seconds"]),
        *([f"about {_duration(left)} left"] if coming else []),
    ]
    return f"Epoch {row['epoch']} of {epochs}: {', '.join(parts)}"


def _duration(seconds: float) -> str:
    """``48 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
