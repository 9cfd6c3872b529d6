"""The training history: one row per epoch, kept in the checkpoint and in ``training_history.csv``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch.optim import Optimizer

from seat_components.files import write_text_atomically
from seat_components.records.history import FILE, LABEL_PREFIX, columns_of
from seat_components.records.table import table_text


class TrainingHistory:
    """Write ``training_history.csv`` anew after each epoch.

    Its columns are those of ``records.history.Epoch``, and ``val_dice_<label>`` of each label. What was not measured is
    empty.

    Attach it after the update, the schedule, the validation handler and the look for overfitting.

    Args:
        directory: the run's output folder.
        optimizer: whose learning rate is recorded.
        schedule: whose threshold is recorded.
        labels: names of the foreground classes, for the columns.
        validator: evaluator whose ``val_mean_dice`` and its details are recorded, or None.
    """

    def __init__(
        self,
        directory: str | Path,
        optimizer: Optimizer,
        schedule: Any,
        labels: Sequence[str],
        validator: Engine | None = None,
    ) -> None:
        self.path = Path(directory) / FILE
        self.optimizer = optimizer
        self.schedule = schedule
        self.labels = list(labels)
        self.validator = validator
        self.rows: list[dict[str, float | int | None]] = []
        self._seconds_before = 0.0
        self._start = 0.0
        self._epoch_values: dict[str, float | int | None] = {}

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin_epoch)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)

    def _begin_epoch(self, engine: Engine) -> None:
        self._start = time.monotonic()
        # The schedules of g and of the learning rate change both before the epoch's row is written.
        self._epoch_values = {
            "epoch": engine.state.epoch,
            "g": engine.state.replays,
            "learning_rate": float(self.optimizer.param_groups[0]["lr"]),
        }

    def _end_epoch(self, engine: Engine) -> None:
        state, before = engine.state, self.rows[-1]["backpropagations"] if self.rows else 0.0
        row = dict(self._epoch_values)
        row["gradient_norm"] = state.gradient_norm
        row["threshold"] = self.schedule.threshold
        row["backpropagations"] = (before or 0.0) + state.backpropagations
        row["train_loss"] = state.train_loss
        row["overfit_dice"] = getattr(state, "overfit_dice", None)
        row["seconds"] = self._seconds_before + time.monotonic() - self._start
        row.update(self._validation(state.epoch))
        self._seconds_before = 0.0
        self.rows.append(row)
        if idist.get_rank() == 0:
            write_text_atomically(self.csv(), self.path)

    def _validation(self, epoch: int) -> dict[str, float]:
        validator = self.validator
        if validator is None or validator.state.epoch != epoch or "val_mean_dice" not in validator.state.metrics:
            return {}
        values = {"val_mean_dice": float(validator.state.metrics["val_mean_dice"])}
        details = validator.state.metric_details.get("val_mean_dice")
        if details is not None:
            per_label = details.double().mean(dim=0).tolist()
            values.update({LABEL_PREFIX + name: value for name, value in zip(self.labels, per_label, strict=True)})
        return values

    def csv(self) -> str:
        """The whole history as CSV text."""
        return table_text(columns_of(self.labels), self.rows)

    def state_dict(self) -> dict[str, Any]:
        """All rows so far, and the seconds spent in an epoch that has not ended."""
        started = self._start if self._epoch_values and not self._row_is_written() else time.monotonic()
        return {"rows": self.rows, "seconds": self._seconds_before + time.monotonic() - started}

    def _row_is_written(self) -> bool:
        return bool(self.rows) and self.rows[-1]["epoch"] == self._epoch_values["epoch"]

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self.rows = [dict(row) for row in state["rows"]]
        self._seconds_before = state["seconds"]
