"""The record of an evaluation under corruptions, corruptions.json, and what is averaged from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PlainValidator, model_validator

from seat_components.records.attacked import CLEAN, grouped, means_over
from seat_components.records.evaluated import Evaluated, check_dice, check_once
from seat_components.records.model import KeptRecord, Name, Record, Rows, kind, read_record
from seat_components.records.numbers import Dice, Measured, Number, mean_of

FILE = "corruptions.json"
_STEPS = 5


def _severity(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _STEPS:
        raise ValueError(f"is {kind(value)}, but a severity is a whole number, 0 (clean) to {_STEPS}")
    return value


_Severity = Annotated[int, PlainValidator(_severity)]


class Severities(Record):
    """What the severities 1 to 5 of a corruption are, in which unit, and where the numbers are from."""

    unit: Name
    values: Rows[Number]
    source: Name

    @model_validator(mode="after")
    def _has_five(self) -> Severities:
        if len(self.values) != _STEPS:
            raise ValueError(f"'values' are {len(self.values)}, but a corruption has {_STEPS} severities")
        return self


class _Corrupted(KeptRecord):
    corruption: Name
    severity: _Severity

    @model_validator(mode="after")
    def _clean_has_no_severity(self) -> _Corrupted:
        if (self.corruption == CLEAN) != (self.severity == 0):
            raise ValueError(f"{self.corruption} has severity {self.severity}, but clean alone has severity 0")
        return self


class CorruptionDice(_Corrupted):
    """Mean foreground Dice over ``cases`` cases under one corruption at one severity, and by label."""

    cases: Measured
    mean_dice: Dice
    dice: dict[str, Dice]


class CorruptedCase(_Corrupted):
    """One case under one corruption at one severity; its Dice by label."""

    case: Name
    dice: dict[str, Dice]

    @staticmethod
    def columns(labels: Sequence[str]) -> list[str]:
        """The columns of corruptions.csv."""
        return ["case", "corruption", "severity", "mean_dice", *(f"dice_{label}" for label in labels)]

    def cells(self) -> dict[str, Any]:
        """The row of corruptions.csv, by column."""
        by_label = {f"dice_{label}": dice for label, dice in self.dice.items()}
        return {**dict(self), "mean_dice": self.mean_dice, **by_label}

    @property
    def mean_dice(self) -> float:
        """Mean over the labels that are defined; NaN without any."""
        return mean_of(self.dice.values())


class CorruptedEvaluation(Evaluated):
    """What an evaluation under corruptions is one of: the head of corruptions.json, without results.

    Attributes:
        severities: what each corruption was, by name.
        scope: ``patch`` or ``volume``.
        inputs: what was predicted, in the evaluation's own words.
    """

    seed: int
    scope: str
    inputs: str = ""
    severities: dict[str, Severities]


class Corruptions(CorruptedEvaluation):
    """Everything in corruptions.json.

    Attributes:
        summary: means over the finished cases, clean first.
        dice_kept: mean over corruptions and severities of the share of the clean Dice that is left; NaN where there
            is no finished case, or their clean Dice is 0.
        dice_kept_under: the same for each corruption.
        worst_corruption: the one that leaves the least.
        unfinished: the cases that the evaluation was stopped in; they are in no mean.
        files: case → fingerprint of its files.
    """

    summary: Rows[CorruptionDice]
    dice_kept: Number
    dice_kept_under: dict[str, Number]
    worst_corruption: Name | None
    cases: Rows[CorruptedCase]
    unfinished: Rows[str] = ()
    files: dict[str, Name] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _compares_with_clean(self) -> Corruptions:
        if self.summary and all(row.corruption != CLEAN for row in self.summary):
            raise ValueError(f"'summary' has no row of {CLEAN}, but what is kept is a share of that one's Dice")
        return self

    def check_continued(self, labels: Sequence[str]) -> None:
        """Check that an evaluation of ``labels`` can go on with this record.

        Raises:
            ValueError: naming the place and the rule.
        """
        for number, row in enumerate(self.cases):
            check_dice(f"cases[{number}]", row.dice, labels)
            if row.corruption != CLEAN and row.corruption not in self.severities:
                raise ValueError(f"cases[{number}]: {row.corruption!r} is none of the record's 'severities'")
        check_once([(row.case, row.corruption, row.severity) for row in self.cases])


def mean_under(rows: Sequence[CorruptedCase], labels: Sequence[str]) -> list[CorruptionDice]:
    """Mean over the cases under each corruption at each severity, in order of appearance."""
    groups = grouped(rows, lambda row: (row.corruption, row.severity))
    return [
        CorruptionDice(
            corruption=corruption,
            severity=severity,
            **means_over(group, labels),
        )
        for (corruption, severity), group in groups.items()
    ]


def kept_under(summary: Sequence[CorruptionDice]) -> dict[str, float]:
    """Each corruption's mean over its severities of mean Dice / clean mean Dice; nothing where that cannot be said."""
    clean = next((row.mean_dice for row in summary if row.corruption == CLEAN), math.nan)
    if not clean > 0:
        return {}
    left: dict[str, list[float]] = {}
    for row in summary:
        if row.corruption != CLEAN:
            left.setdefault(row.corruption, []).append(row.mean_dice / clean)
    return {corruption: mean_of(shares) for corruption, shares in left.items()}


def read_corruptions(path: Path) -> Corruptions:
    """Read ``path``.

    Raises:
        RefusalError: if a field is missing or does not fit.
    """
    return read_record(Corruptions, path)
