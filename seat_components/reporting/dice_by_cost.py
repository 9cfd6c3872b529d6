"""What robustness costs, as a picture: Dice against backpropagations, a line per method through its budgets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seat_components.reporting.methods import Method, over_seeds
from seat_components.reporting.style import in_picture, legend_beside, method_styles, tidy

_LOGARITHMIC_FROM = 8.0


def dice_by_cost(methods: Sequence[Method]) -> Figure:
    """Left: worst-case Dice. Right: Dice without attack. Both against backpropagations per batch; bars over seeds."""
    figure = Figure(figsize=(9.5, 4.0), layout="constrained")
    worst, clean = figure.subplots(1, 2)
    _lines(worst, methods, [[budget.worst for budget in method.budgets] for method in methods])
    _lines(clean, methods, [[budget.clean for budget in method.budgets] for method in methods])
    tidy(worst, title="Worst attack per volume", x="backpropagations per batch", y="mean foreground Dice")
    tidy(clean, title="Without attack", x="backpropagations per batch")
    legend_beside(clean)
    return figure


def _lines(axes: Axes, methods: Sequence[Method], dice: Sequence[Sequence[Sequence[float]]]) -> None:
    """A line per method through its budgets; ``dice`` of each method, budget and seed."""
    styles = method_styles([method.kind for method in methods])
    for method, of_budgets, (colour, line, marker) in zip(methods, dice, styles, strict=True):
        order = sorted(range(len(of_budgets)), key=lambda place: method.budgets[place].backpropagations)
        means, halves = zip(*(over_seeds(of_budgets[place]) for place in order), strict=True)
        axes.errorbar(
            [method.budgets[place].backpropagations for place in order],
            means,
            yerr=[0 if math.isnan(half) else half for half in halves],
            color=colour,
            ls=line,
            marker=marker,
            ms=6,
            capsize=3,
            elinewidth=1,
            label=in_picture(method.name),
        )
    costs = [budget.backpropagations for method in methods for budget in method.budgets]
    if min(costs) > 0 and max(costs) > _LOGARITHMIC_FROM * min(costs):
        axes.set_xscale("log")
