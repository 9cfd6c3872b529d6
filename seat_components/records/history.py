"""The record of a training's epochs, training_history.csv, and what is averaged from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict

from seat_components.records.model import Record
from seat_components.records.numbers import mean_of
from seat_components.records.table import Cell, UnboundedCell, read_table
from seat_components.refusals import refuse

FILE = "training_history.csv"
LABEL_PREFIX = "val_dice_"
MOST_EPOCHS = 10**6

Values = npt.NDArray[np.float64]


class Epoch(Record):
    """One line: a finished epoch; NaN where not measured. Beside these columns, ``val_dice_<label>`` of each label.

    Attributes:
        epoch: its number, from 1.
        g: backpropagations per batch that the schedule asked for in this epoch.
        gradient_norm: K̃.
        threshold: of the schedule, after this epoch's check.
        backpropagations: per batch and cumulative, counted where backward() was called.
        train_loss: mean over batches, of each batch's last replay.
        val_mean_dice: mean over foreground classes and validation cases.
        overfit_dice: mean over foreground classes and the epoch's last training batch, under a short attack; files of
            earlier versions do not have it.
        learning_rate: during the epoch.
        seconds: wall time of the epoch, validation included.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Cell]

    epoch: Cell
    g: Cell
    gradient_norm: UnboundedCell
    threshold: UnboundedCell
    backpropagations: Cell
    train_loss: UnboundedCell
    val_mean_dice: Cell
    overfit_dice: Cell = math.nan
    learning_rate: Cell
    seconds: Cell


COLUMNS = tuple(Epoch.model_fields)


def columns_of(labels: Sequence[str]) -> list[str]:
    """The file's columns, in order, for the names of the foreground classes."""
    place = COLUMNS.index("val_mean_dice") + 1
    return [*COLUMNS[:place], *(LABEL_PREFIX + label for label in labels), *COLUMNS[place:]]


@dataclass(frozen=True)
class Window:
    """The mean of K̃ over the epochs ``first`` to ``last``; NaN where it was never measured there."""

    first: int
    last: int
    mean: float

    @property
    def name(self) -> str:
        """The window's epochs, as in ``"1–50"``."""
        return f"{self.first}–{self.last}"


@dataclass(frozen=True, eq=False)
class History:
    """One value per finished epoch; every array has shape (epochs,), NaN where not measured.

    Attributes:
        epoch: the epochs' numbers, ascending, from 1.
        columns: the other columns by name (see ``Epoch``).
        val_dice: validation Dice by label name.
    """

    epoch: Values
    columns: dict[str, Values]
    val_dice: dict[str, Values]

    def __getitem__(self, column: str) -> Values:
        return self.columns[column]

    @property
    def epochs(self) -> int:
        """The number of the last finished epoch."""
        return int(self.epoch[-1])

    @property
    def backpropagations(self) -> float:
        """Backpropagations per batch, summed over all epochs; NaN where never counted."""
        return _last_measured(self["backpropagations"])

    @property
    def best(self) -> tuple[float, int] | None:
        """The highest validation mean Dice and its first epoch; None where nothing was validated."""
        dice = self["val_mean_dice"]
        if np.isnan(dice).all():
            return None
        row = int(np.nanargmax(dice))
        return float(dice[row]), int(self.epoch[row])

    def gradient_norm_windows(self, length: int = 50) -> list[Window]:
        """Means of K̃ over windows of ``length`` epochs from epoch 1 (the paper's Figure 1 has 50).

        The last window holds what is left, so a run shorter than ``length`` has one. Epochs without a finite
        K̃ are left out of their window's mean.
        """
        windows = []
        for first in range(1, self.epochs + 1, length):
            last = min(first + length - 1, self.epochs)
            inside = self["gradient_norm"][(self.epoch >= first) & (self.epoch <= last)]
            windows.append(Window(first, last, mean_of(inside[np.isfinite(inside)].tolist())))
        return windows


def _last_measured(values: Values) -> float:
    """The last value that is not NaN; NaN if there is none."""
    measured = values[~np.isnan(values)]
    return float(measured[-1]) if measured.size else math.nan


def read_history(path: Path) -> History | None:
    """Read ``path``; None where no epoch has finished yet.

    Raises:
        RefusalError: if a column is missing, a cell is not a number, or the epochs do not ascend from 1.
    """
    rows = read_table(Epoch, path)
    if not rows:
        return None
    said = [row.model_dump() for row in rows]
    table = {name: np.array([row[name] for row in said], dtype=np.float64) for name in said[0]}
    epoch = table.pop("epoch")
    ascends = np.isfinite(epoch).all() and (epoch % 1 == 0).all() and (np.diff(epoch) > 0).all()
    if not ascends or not 1 <= epoch[0] <= epoch[-1] <= MOST_EPOCHS:
        refuse(f"{path}: the column epoch must hold whole numbers that ascend from 1, one line per epoch")
    labels = {
        name.removeprefix(LABEL_PREFIX): values for name, values in table.items() if name.startswith(LABEL_PREFIX)
    }
    return History(epoch, {name: table[name] for name in COLUMNS if name != "epoch"}, labels)
