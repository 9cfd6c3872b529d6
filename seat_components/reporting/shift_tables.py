"""The report's tables of what no attacker does: corruptions by severity, and certificates."""

from __future__ import annotations

import math

from seat_components.records.attacked import CLEAN
from seat_components.reporting.page import Table
from seat_components.reporting.records import RunRecords
from seat_components.reporting.tables import NONE, number


def corruption_table(run: RunRecords) -> Table | None:
    """Mean Dice by corruption and severity, and the share of the clean Dice that is kept."""
    record = run.corruptions
    if record is None or not record.summary:
        return None
    found = {(row.corruption, row.severity): row.mean_dice for row in record.summary}
    steps = range(1, 1 + max(row.severity for row in record.summary))
    rows = [
        [
            f"{name} (worst)" if name == record.worst_corruption else name,
            *(number(found.get((name, step), math.nan)) for step in steps),
            number(record.dice_kept_under.get(name, math.nan), ".1%"),
        ]
        for name in record.severities
    ]
    rows.append(["mean over corruptions", *[NONE] * len(steps), number(record.dice_kept, ".1%")])
    clean = next(row for row in record.summary if row.corruption == CLEAN)
    return Table(
        f"{run.name}: Dice under corruptions",
        ["Corruption", *(f"Severity {step}" for step in steps), "Dice kept"],
        rows,
        f"Kept: the mean over severities of Dice / {number(clean.mean_dice)}, this model's own clean Dice. "
        f"{clean.cases:g} cases; inputs: {record.inputs or record.scope}. No figure here is of an attack.",
    )


def certificate_table(run: RunRecords) -> Table | None:
    """The Dice below which no transformation of a range brings the smoothed network."""
    record = run.certificate
    if record is None or not record.summary:
        return None
    return Table(
        f"{run.name}: certified Dice",
        ["Transformation", "Range", "Smoothed network", "Certified", "Voxels that abstained"],
        [
            [
                row.transformation,
                row.range,
                number(row.mean_dice),
                number(row.mean_certified_dice),
                number(row.abstained, ".2%"),
            ]
            for row in record.summary
        ],
        f"{max(row.cases for row in record.summary):g} cases; inputs: {record.inputs or record.scope}; "
        f"{record.draws} draws; confidence {record.confidence:.4g} for all voxels of a case under one transformation. "
        f"{record.certified_rule}",
    )
