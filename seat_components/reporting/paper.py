"""What the paper printed (SEAT, MICCAI 2023, Tables 1 and 2), to stand beside our own numbers."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TypedDict

EPOCHS = 300
CHECKPOINT_EPOCHS = ("300", "400", "500")
_FREE_BACKPROPAGATIONS = 1500
_ATTACK_NAMES = {"clean": "Clean", "apgd-ce": "APGD-CE", "pgd-ce": "PGD", "square": "Square"}

WHAT_DIFFERS = (
    "What differs from the paper: its columns are those of SEAT, and no target to hit. They come from the authors' own "
    "weights, cases and patches. In the authors' public code the attacks run for 5 iterations (Square with 5 queries), "
    "PGD keeps the better of its restarts voxel by voxel, and robust Dice is averaged only over cases whose clean Dice "
    "passes a threshold. Here every case counts, restarts are chosen per sample, and the protocol, the cases and their "
    "number are those stated with our values. Compare the order of magnitude, not the digits."
)


class _PaperTables(TypedDict):
    """The layout of paper_tables.json; every list has one value per task."""

    tasks: list[str]
    table1_backpropagations_in_300_epochs: dict[str, list[int]]
    table2_mean_foreground_dice_SEAT_eps_8_255: dict[str, dict[str, list[float]]]


@cache
def _tables() -> _PaperTables:
    tables: _PaperTables = json.loads(files(__package__).joinpath("paper_tables.json").read_text(encoding="utf-8"))
    return tables


def task_index(name: str) -> int | None:
    """The row of the MSD task that a dataset or bundle is called after, 0 to 9; None for any other dataset.

    ``Task04_Hippocampus`` and ``msd_task04_hippocampus`` are the same task.
    """
    plain = [_plain(task) for task in _tables()["tasks"]]
    wanted = _plain(name)
    return plain.index(wanted) if wanted in plain else None


def backpropagations(task: str) -> dict[str, int]:
    """Table 1: backpropagations per batch in 300 epochs by method; empty for a dataset that the paper lacks."""
    index = task_index(task)
    if index is None:
        return {}
    table = _tables()["table1_backpropagations_in_300_epochs"]
    return {method: values[index] for method, values in table.items()}


def dice(task: str, attack: str) -> dict[str, float]:
    """Table 2: SEAT's mean foreground Dice at ε = 8/255 by epochs trained; empty where the paper has no value."""
    index = task_index(task)
    if index is None or attack not in _ATTACK_NAMES:
        return {}
    table = _tables()["table2_mean_foreground_dice_SEAT_eps_8_255"]
    return {epochs: values[index] for epochs, values in table[_ATTACK_NAMES[attack]].items()}


def _plain(name: str) -> str:
    return name.lower().replace("_", "").removeprefix("msd")
