"""The record of a certified evaluation, certificate.json: the Dice that no transformation of a range can go below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from seat_components.records.attacked import grouped, means_over
from seat_components.records.evaluated import Evaluated, check_dice, check_once
from seat_components.records.model import KeptRecord, Name, Record, Rows, read_record
from seat_components.records.numbers import Dice, Measured, mean_of

FILE = "certificate.json"
GAMMA, NOISE = "gamma", "gaussian-noise"


def _in_words(transformation: str, radius: float) -> str:
    """The range that a radius stands for, as in ``"gamma 0.82 to 1.22"``."""
    if transformation == GAMMA:
        return f"gamma {math.exp(-radius):.3f} to {math.exp(radius):.3f}"
    return f"L2 distance up to {radius:.4g}"


class CertifiedCase(KeptRecord):
    """One case over one range of a transformation.

    Attributes:
        radius: the range's half width: of the logarithm of gamma, or an L2 distance of the network's input.
        dice: of the smoothed network's answer, by label.
        certified_dice: what it cannot fall below anywhere in the range, by label.
        abstained: the share of voxels without a guarantee over this range.
    """

    case: Name
    transformation: Name
    radius: Measured
    dice: dict[str, Dice]
    certified_dice: dict[str, Dice]
    abstained: Dice

    @staticmethod
    def columns(labels: Sequence[str]) -> list[str]:
        """The columns of certificate.csv."""
        means = ["case", "transformation", "radius", "abstained", "mean_dice", "mean_certified_dice"]
        return [*means, *(f"{kind}_{label}" for kind in ("dice", "certified_dice") for label in labels)]

    def cells(self) -> dict[str, Any]:
        """The row of certificate.csv, by column."""
        by_label = {f"{kind}_{label}": dice for kind in ("dice", "certified_dice") for label, dice in self._of(kind)}
        certified = mean_of(self.certified_dice.values())
        return {**dict(self), "mean_dice": self.mean_dice, "mean_certified_dice": certified, **by_label}

    def _of(self, kind: str) -> list[tuple[str, float]]:
        return list(getattr(self, kind).items())

    @property
    def mean_dice(self) -> float:
        """Mean over the labels that are defined; NaN without any."""
        return mean_of(self.dice.values())


class CertifiedDice(Record):
    """Means over ``cases`` cases for one range of a transformation; ``range`` says the range in words."""

    transformation: Name
    radius: Measured
    range: Name
    cases: Measured
    mean_dice: Dice
    dice: dict[str, Dice]
    mean_certified_dice: Dice
    certified_dice: dict[str, Dice]
    abstained: Dice


class CertifiedEvaluation(Evaluated):
    """What a certified evaluation is one of: the head of certificate.json, without results.

    Attributes:
        scope: ``patch`` or ``volume``.
        inputs: what was predicted, in the evaluation's own words.
        sigmas: transformation → standard deviation of its random parameter.
        radii: shares of sigma that are certified, ascending; the first is that of the abstained voxels' files.
        selection_draws: so many draws choose each voxel's class.
        draws: so many further ones confirm it.
        confidence: that all guaranteed voxels of a case under one transformation are guaranteed rightly.
        certified_rule: how abstained voxels count, in the evaluation's own words.
    """

    seed: int
    scope: str
    inputs: str = ""
    sigmas: dict[str, Measured]
    radii: Rows[Measured]
    selection_draws: int
    draws: int
    confidence: float
    certified_rule: str = ""


class Certificate(CertifiedEvaluation):
    """Everything in certificate.json.

    Attributes:
        summary: means over the cases, by transformation and range.
        files: case → fingerprint of its files.
    """

    summary: Rows[CertifiedDice]
    cases: Rows[CertifiedCase]
    files: dict[str, Name] = Field(default_factory=dict)

    def check_continued(self, labels: Sequence[str]) -> None:
        """Check that an evaluation of ``labels`` can go on with this record.

        Raises:
            ValueError: naming the place and the rule.
        """
        for number, row in enumerate(self.cases):
            check_dice(f"cases[{number}]", row.dice, labels)
            check_dice(f"cases[{number}]: 'certified_dice' as", row.certified_dice, labels)
            if row.transformation not in self.sigmas:
                raise ValueError(f"cases[{number}]: {row.transformation!r} is none of the record's 'sigmas'")
        check_once([(row.case, row.transformation, row.radius) for row in self.cases])


def means_certified(rows: Sequence[CertifiedCase], labels: Sequence[str]) -> list[CertifiedDice]:
    """Mean over the cases for each transformation and range, in order of appearance."""
    groups = grouped(rows, lambda row: (row.transformation, row.radius))
    return [
        CertifiedDice(
            transformation=transformation,
            radius=radius,
            range=_in_words(transformation, radius),
            **means_over(group, labels),
            mean_certified_dice=mean_of(mean_of(row.certified_dice.values()) for row in group),
            certified_dice={label: mean_of(row.certified_dice[label] for row in group) for label in labels},
            abstained=mean_of(row.abstained for row in group),
        )
        for (transformation, radius), group in groups.items()
    ]


def read_certificate(path: Path) -> Certificate:
    """Read ``path``.

    Raises:
        RefusalError: if a field is missing or does not fit.
    """
    return read_record(Certificate, path)
