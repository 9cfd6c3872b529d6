"""The table of a run's cases, the one that lost most first: what is known of each, a line per case."""

from __future__ import annotations

import math
from collections.abc import Mapping

from seat_components.records.attacked import CLEAN, WORST
from seat_components.records.robustness import Robustness
from seat_components.reporting.page import Table
from seat_components.reporting.records import RunRecords
from seat_components.reporting.tables import NONE, number


def case_table(run: RunRecords) -> Table | None:
    """Dice of each case, clean and in the worst case, the attack that found it, and what may explain it.

    Its columns are those of which some case has a value; None where no case was evaluated one by one.
    """
    columns: dict[str, Mapping[str, str]] = {}
    falls: dict[str, float] = {}
    if run.metrics:
        columns["Dice, whole volume"] = {case: number(dice) for case, dice in run.metrics.dice_of_cases.items()}
    record = run.robustness
    if record and record.compared_eps is not None:
        pairs = record.clean_and_worst(record.compared_eps)
        falls = {case: clean - worst for case, (clean, worst) in pairs.items()}
        columns |= {
            "Without attack": {case: number(dice) for case, dice in record.dice_of_cases(CLEAN, 0).items()},
            f"Worst, ε = {record.compared_eps:g}/255": {case: number(worst) for case, (_, worst) in pairs.items()},
            "Fall": {case: number(fall) for case, fall in falls.items()},
            **_explained(record, record.compared_eps),
        }
    cases = list(dict.fromkeys(case for cells in columns.values() for case in cells))
    if not cases:
        return None
    cases.sort(key=lambda case: (-falls.get(case, -math.inf), case))
    shown = {name: cells for name, cells in columns.items() if cells}
    return Table(
        f"{run.name}: each case",
        ["Case", *shown],
        [[case, *(cells.get(case, NONE) for cells in shown.values())] for case in cases],
        "Press a heading to sort. Dice is the mean over foreground classes."
        + (" Found by: the attack that left the least Dice." if falls else ""),
        sorts=True,
    )


def _explained(record: Robustness, eps: float) -> dict[str, Mapping[str, str]]:
    worst = [row for row in record.cases if row.attack == WORST and row.eps_255 == eps]
    return {
        "Found by": {row.case: row.ran for row in worst},
        "Least ε · 255": {
            row.case: f"above {row.kept_255:g}" if row.eps_255 is None else f"{row.eps_255:g}"
            for row in record.found_least
        },
        "ε_b / std": {case: number(share, ".3f") for case, (share, _) in record.share_and_worst(eps).items()},
        "Volume [ml]": {case: f"{sum(volumes.values()):.2f}" for case, volumes in record.volumes_ml.items()},
    }
