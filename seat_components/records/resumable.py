"""What metrics.json and robustness.json must hold so that an evaluation can go on with them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seat_components.records.fields import Fields
from seat_components.records.robustness import CLEAN, WORST, cost_of, eps_of
from seat_components.refusals import refuse

SAME = 1e-6
"""How far a mean may be from the mean of its parts."""


def check_metrics(record: Fields, labels: Sequence[str], distances: Sequence[str]) -> None:
    """Check a metrics.json of ``labels``; ``distances`` are its metrics in mm, null where they are not defined.

    Raises:
        RefusalError: naming the place and the rule.
    """
    _check_versions(record)
    rows = record.records("cases")
    for row in rows:
        dice = row.dice_of(labels)
        if abs(row.dice("mean_dice") - sum(dice.values()) / len(dice)) > SAME:
            refuse(f"{row.place}: 'mean_dice' is not the mean of its 'dice'")
        for name in distances:
            values = row.numbers(name)
            if set(values) != set(labels) or any(value < 0 or math.isinf(value) for value in values.values()):
                refuse(f"{row.place}: {name!r} must be a number in mm, or null, of each of {', '.join(labels)}")
        if "files" in row:
            row.name("files")
    _once(record, [(row.name("case"),) for row in rows])


def check_robustness(record: Fields, labels: Sequence[str]) -> None:
    """Check a robustness.json of ``labels``.

    Raises:
        RefusalError: naming the place and the rule.
    """
    _check_versions(record)
    rows = record.records("cases")
    for row in rows:
        row.dice_of(labels)
        row.measured("linf_over_budget")
        if "of" in row or "skipped" in row:
            row.name("of")
    keys = [(row.name("case"), row.name("attack"), eps_of(row)) for row in rows]
    _once(record, keys)
    clean = {case for case, attack, _ in keys if attack == CLEAN}
    if without := [case for case, attack, _ in keys if attack != WORST and case not in clean]:
        refuse(f"{record.place}: case {without[0]} has no row of the attack {CLEAN}, but each case begins with it")
    for check in record.records("checks"):
        check.name("check")
        check.name("case")
        check.measured("value")
        if "eps_255" in check:
            check.measured("eps_255")
    for name, volumes in record.record("volumes_ml").items():
        if set(volumes.names()) != set(labels):
            refuse(f"{record.place}: 'volumes_ml' of {name} must be of {', '.join(labels)}")
        for label in labels:
            volumes.measured(label)
    for _, cost in record.record("cost").items():
        cost_of(cost)
    files = record.record("files") if "files" in record else Fields({}, record.place)
    for name in files.names():
        files.name(name)
    if "unfinished" in record:
        record.text_list("unfinished")


def _check_versions(record: Fields) -> None:
    versions = record.record("versions") if "versions" in record else Fields({}, record.place)
    for name in versions.names():
        versions.name(name)


def _once(record: Fields, keys: Sequence[tuple[object, ...]]) -> None:
    seen: set[tuple[object, ...]] = set()
    for key in keys:
        if key in seen:
            refuse(
                f"{record.place}: {' '.join(map(str, key))} stands more than once under 'cases', but once is the rule"
            )
        seen.add(key)
