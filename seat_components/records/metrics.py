"""The record of a clean evaluation on whole volumes, metrics.json."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from seat_components.records.fields import Fields
from seat_components.refusals import refuse

FILE = "metrics.json"


@dataclass(frozen=True)
class LabelMetrics:
    """Means over the cases for one label; distances in mm, NaN where not measured."""

    dice: float
    hausdorff95_mm: float
    surface_distance_mm: float


@dataclass(frozen=True)
class Metrics:
    """Clean metrics.

    Attributes:
        rule: how classes that are absent from a case are counted, in the evaluation's own words.
        data: what the dataset says about itself.
        labels: the means by label, in the file's order.
        cases: mean Dice by case.
    """

    bundle: str
    weights_sha256: str
    rule: str
    data: str
    mean_dice: float
    labels: dict[str, LabelMetrics]
    cases: dict[str, float]


def read_metrics(path: Path) -> Metrics:
    """Read ``path``.

    Raises:
        RefusalError: if a field is missing or does not fit.
    """
    fields = Fields.of_file(path)
    summary = fields.record("summary")
    distances = {
        name: summary.numbers(name) if name in summary else {} for name in ("hausdorff95_mm", "surface_distance_mm")
    }
    rows = fields.records("cases")
    cases = {row.text("case"): row.dice("mean_dice") for row in rows}
    if len(cases) < len(rows):
        refuse(f"{path}: a case stands under 'cases' more than once, but each has one row")
    return Metrics(
        bundle=fields.text("bundle", "unnamed"),
        weights_sha256=fields.text("weights_sha256", ""),
        rule=fields.text("rule", "not written"),
        data=fields.text("data", ""),
        mean_dice=summary.dice("mean_dice"),
        labels={
            label: LabelMetrics(dice, *(values.get(label, math.nan) for values in distances.values()))
            for label, dice in summary.dice_by_label().items()
        },
        cases=cases,
    )
