"""The record of a training run, training_history.csv, and what is averaged from it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seat_components.files import read_text
from seat_components.refusals import refuse

FILE = "training_history.csv"
COLUMNS = (
    "epoch",
    "g",
    "gradient_norm",
    "threshold",
    "backpropagations",
    "train_loss",
    "val_mean_dice",
    "learning_rate",
    "seconds",
)
LABEL_PREFIX = "val_dice_"
MAY_DIVERGE = ("gradient_norm", "threshold", "train_loss")
"""Columns that may hold an infinity."""
MOST_EPOCHS, LARGEST = 10**6, 1e15

Values = npt.NDArray[np.float64]


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
        columns: the other columns by name (see ``COLUMNS``); ``seconds`` in seconds, ``backpropagations`` per
            batch and cumulative.
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
        return last_measured(self["backpropagations"])

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
            finite = inside[np.isfinite(inside)]
            windows.append(Window(first, last, float(finite.mean()) if finite.size else math.nan))
        return windows


def last_measured(values: Values) -> float:
    """The last value that is not NaN; NaN if there is none."""
    measured = values[~np.isnan(values)]
    return float(measured[-1]) if measured.size else math.nan


def read_history(path: Path) -> History | None:
    """Read ``path``; None where no epoch has finished yet.

    Raises:
        RefusalError: if a column is missing, a cell is not a number, or the epochs do not ascend from 1.
    """
    text = read_text(path, "It must be a table of comma-separated values.")
    try:
        header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    except csv.Error as error:
        refuse(f"{path} is not readable as a table of comma-separated values ({error})")
    if len(set(header)) < len(header):
        refuse(f"{path} names a column twice in its first line: {', '.join(header)}")
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        refuse(f"{path} has no column {', '.join(missing)}: its first line must name {', '.join(COLUMNS)}")
    if not rows:
        return None
    table = {name: _column(path, rows, name, header) for name in header}
    epoch = table.pop("epoch")
    ascends = np.isfinite(epoch).all() and (epoch % 1 == 0).all() and (np.diff(epoch) > 0).all()
    if not ascends or not 1 <= epoch[0] <= epoch[-1] <= MOST_EPOCHS:
        refuse(f"{path}: the column epoch must hold whole numbers that ascend from 1, one line per epoch")
    labels = {
        name.removeprefix(LABEL_PREFIX): values for name, values in table.items() if name.startswith(LABEL_PREFIX)
    }
    return History(epoch, {name: table[name] for name in COLUMNS if name != "epoch"}, labels)


def _column(path: Path, rows: Sequence[Sequence[str]], name: str, header: Sequence[str]) -> Values:
    position = header.index(name)
    values = np.full(len(rows), np.nan)
    for i, row in enumerate(rows):
        if len(row) != len(header):
            refuse(f"{path}, line {i + 2}: {len(row)} cells, but the first line names {len(header)} columns")
        cell = row[position].strip()
        try:
            values[i] = float(cell) if cell else math.nan
        except ValueError:
            refuse(f"{path}, line {i + 2}: {name} is {cell!r}, but it must be a number, or empty if not measured")
        if name not in MAY_DIVERGE and not -LARGEST < values[i] < LARGEST and not math.isnan(values[i]):
            refuse(f"{path}, line {i + 2}: {name} is {cell!r}, but it must be a finite number of a size that occurs")
    return values
