"""The figures of a results page: of each kind of run the best, as eight lines are what a reader tells apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from seat_components.experiments.checkpoints import Checkpoint, by_run
from seat_components.experiments.plan import Plan
from seat_components.records.attacked import WORST
from seat_components.reporting.methods import CostPoint, Method, readable


def figures(found: Sequence[Checkpoint], plan: Plan, page: Path) -> list[str]:
    """Draw the figures beside ``page``, and give the lines of the page that show them.

    Args:
        found: checkpoints with the same kind of weights.
        plan: which runs are budgets of one method, and variants of one kind.
        page: the page; the figures are ``<page>_*.png``.
    """
    # Here and not at the top: matplotlib is an optional extra, which importing this package must not need.
    from seat_components.reporting.dice_by_cost import dice_by_cost  # noqa: PLC0415
    from seat_components.reporting.robustness_figures import dice_by_budget  # noqa: PLC0415
    from seat_components.reporting.style import png  # noqa: PLC0415
    from seat_components.reporting.training_figures import gradient_norm_by_window  # noqa: PLC0415

    measured = methods_of_plan(found, plan)
    methods = readable(measured)
    names = {method.name for method in methods}
    first = sorted((run[0] for run in by_run(found)), key=lambda one: one.history.backpropagations)
    longest = {_line(plan, one.run): one.records for one in first}
    records = [one for line, one in longest.items() if line in names or not names]
    length = max(1, min(50, max(one.history.epochs for one in first) // 4))
    drawn = {
        "gradient_norm": (
            "Mean gradient norm K̃ per method (the paper's Figure 1)",
            gradient_norm_by_window(records, length),
        ),
    }
    attacked = [one for one in records if one.robustness is not None]
    if attacked:
        drawn["dice_by_budget"] = ("Dice against ε per method (the paper's Figure 2)", dice_by_budget(attacked))
    if len(methods) > 1:
        drawn["dice_by_cost"] = (
            f"Dice against backpropagations per batch under {next(iter(plan.attacks))}; bars: 95 % over three seeds or "
            "more" + ("" if methods == measured else ". Of each kind of run the best; the tables above have all"),
            dice_by_cost(methods),
        )
    lines = ["## Figures\n"]
    for name, (caption, figure) in drawn.items():
        file = page.with_name(f"{page.stem}_{name}.png")
        file.write_bytes(png(figure))
        lines.append(f"![{caption}]({file.name})\n\n{caption}.\n")
    return lines


def methods_of_plan(found: Sequence[Checkpoint], plan: Plan) -> list[Method]:
    """The plan's lines with what its first attack left at each of their budgets, over the seeds."""
    lines: dict[str, tuple[str, list[CostPoint]]] = {}
    for run in by_run(found):
        attacked = [(one, one.records.robustness) for one in run if one.is_finished]
        dice = [
            (one.history.backpropagations, record.clean, record.mean_dice(WORST, record.compared_eps or 0))
            for one, record in attacked
            if record is not None
        ]
        measured = [values for values in dice if not any(map(math.isnan, values))]
        if measured:
            costs, clean, worst = zip(*measured, strict=True)
            line = _line(plan, run[0].run)
            _, budgets = lines.setdefault(line, (plan.runs[run[0].run].kind or line.split("-")[0], []))
            budgets.append(CostPoint(fmean(costs), clean, worst))
    return [Method(name, kind, tuple(budgets)) for name, (kind, budgets) in lines.items()]


def _line(plan: Plan, run: str) -> str:
    return plan.runs[run].line or run
