"""The record of a clean evaluation on whole volumes, metrics.json."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from seat_components.records.evaluated import Evaluated, check_dice, check_labels, check_once
from seat_components.records.model import KeptRecord, Name, Record, Rows, read_record
from seat_components.records.numbers import Dice, Number, mean_of

FILE = "metrics.json"
_DISTANCES = ("hausdorff95_mm", "surface_distance_mm")
MEASURES = ("dice", *_DISTANCES)
_SAME = 1e-6
"""How far a mean may be from the mean of its parts."""


@dataclass(frozen=True)
class LabelMetrics:
    """Means over the cases for one label; distances in mm, NaN where not measured."""

    dice: float
    hausdorff95_mm: float
    surface_distance_mm: float


class Means(Record):
    """Means over the cases, and by label; distances in mm, NaN where not measured."""

    mean_dice: Dice
    dice: dict[str, Dice]
    hausdorff95_mm: dict[str, Number] = Field(default_factory=dict)
    surface_distance_mm: dict[str, Number] = Field(default_factory=dict)


class CaseMetrics(KeptRecord):
    """One case: its mean Dice, and by label; distances in mm, NaN where the class is absent.

    Attributes:
        files: the fingerprint of its files; None where it is not known.
    """

    case: Name
    files: Name | None = None
    mean_dice: Dice
    dice: dict[str, Dice] = Field(default_factory=dict)
    hausdorff95_mm: dict[str, Number] = Field(default_factory=dict)
    surface_distance_mm: dict[str, Number] = Field(default_factory=dict)

    @staticmethod
    def columns(labels: Sequence[str]) -> list[str]:
        """The columns of metrics.csv."""
        return ["case", "mean_dice", *(f"{name}_{label}" for name in MEASURES for label in labels)]

    def cells(self) -> dict[str, Any]:
        """The row of metrics.csv, by column."""
        by_label = {f"{name}_{label}": value for name in MEASURES for label, value in getattr(self, name).items()}
        return {**dict(self), **by_label}


class Metrics(Evaluated):
    """Everything in metrics.json."""

    summary: Means
    cases: Rows[CaseMetrics]

    @model_validator(mode="after")
    def _has_a_case_once(self) -> Metrics:
        check_once([(row.case,) for row in self.cases])
        return self

    @property
    def mean_dice(self) -> float:
        """The mean over foreground classes and cases; NaN without a case."""
        return self.summary.mean_dice

    @property
    def labels(self) -> dict[str, LabelMetrics]:
        """The means by label, in the file's order."""
        means = self.summary
        return {
            label: LabelMetrics(dice, *(getattr(means, name).get(label, math.nan) for name in _DISTANCES))
            for label, dice in means.dice.items()
        }

    @property
    def dice_of_cases(self) -> dict[str, float]:
        """Mean Dice by case."""
        return {row.case: row.mean_dice for row in self.cases}

    def check_continued(self, labels: Sequence[str]) -> None:
        """Check that an evaluation of ``labels`` can go on with this record.

        Raises:
            ValueError: naming the place and the rule.
        """
        for number, row in enumerate(self.cases):
            place = f"cases[{number}]"
            check_dice(place, row.dice, labels)
            if not abs(row.mean_dice - mean_of(row.dice.values())) <= _SAME:
                raise ValueError(f"{place}: 'mean_dice' is not the mean of its 'dice'")
            for name in _DISTANCES:
                values = getattr(row, name)
                check_labels(f"{place}: {name!r}", values, labels)
                if any(value < 0 or math.isinf(value) for value in values.values()):
                    raise ValueError(f"{place}: {name!r} must be numbers in mm, or null, 0 or more")


def means_of(rows: Sequence[CaseMetrics], labels: Sequence[str]) -> Means:
    """The means over cases, and by label over the cases in which the label has the metric."""
    by_label = {
        name: {label: mean_of(getattr(row, name)[label] for row in rows) for label in labels} for name in MEASURES
    }
    return Means(mean_dice=mean_of(row.mean_dice for row in rows), **by_label)


def read_metrics(path: Path) -> Metrics:
    """Read ``path``.

    Raises:
        RefusalError: if a field is missing or does not fit.
    """
    return read_record(Metrics, path)
