"""Pictures of robustness: Dice against ε (the paper's Figure 2), and each case's Dice against what may explain it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seat_components.records.attacked import CLEAN, WORST
from seat_components.records.robustness import Robustness
from seat_components.reporting.records import RunRecords
from seat_components.reporting.style import BLACK, GREY, attack_style, in_picture, legend_beside, run_styles, tidy

_EPS = "ε · 255"


def dice_by_budget(runs: Sequence[RunRecords]) -> Figure:
    """Left: Dice averaged over the attacks, one line per run. Right: the worst case per volume."""
    figure = Figure(figsize=(9.5, 3.8), layout="constrained")
    average, worst = figure.subplots(1, 2, sharey=True)
    budgets: set[float] = {0}
    for run, (colour, line, marker) in zip(runs, run_styles(runs), strict=True):
        if run.robustness is None:
            continue
        budgets.update(run.robustness.budgets)
        for axes, points in ((average, run.robustness.average_curve()), (worst, run.robustness.curve(WORST))):
            axes.plot(*points, color=colour, ls=line, marker=marker, ms=5, label=in_picture(run.name))
    for axes, title in ((average, "Average over the attacks"), (worst, "Worst attack per volume")):
        _against_budget(axes, budgets, title)
    average.set_ylabel("mean foreground Dice", fontsize=9)
    legend_beside(worst)
    return figure


def dice_by_attack(robustness: Robustness) -> Figure:
    """One line per attack against ε, the average over the attacks, and the worst case per volume."""
    figure = Figure(figsize=(8.6, 4.2), layout="constrained")
    axes: Axes = figure.subplots()
    for attack in robustness.attacks:
        if attack == CLEAN:
            continue
        colour, line, marker = attack_style(attack)
        width = 2.6 if attack == WORST else 1.3
        # The worst case lies below all others and is drawn over them.
        order = 4 if attack == WORST else 3
        subset = next(filter(None, (robustness.subset(attack, eps) for eps in robustness.whole_budgets)), "")
        name = in_picture(attack) + (f" ({subset})" if subset else "")
        axes.plot(
            *robustness.curve(attack), color=colour, ls=line, marker=marker, ms=4.5, lw=width, label=name, zorder=order
        )
    axes.plot(*robustness.average_curve(), color=BLACK, ls=(0, (1, 1)), lw=2.6, label="average over attacks")
    _against_budget(axes, {0, *robustness.budgets})
    axes.set_ylabel("mean foreground Dice", fontsize=9)
    legend_beside(axes)
    return figure


def clean_against_worst(runs: Sequence[RunRecords], eps_255: float) -> Figure:
    """Each case's Dice without attack (x) and under the worst attack at ``eps_255`` (y); the diagonal is no loss."""
    figure = Figure(figsize=(5.8, 4.4), layout="constrained")
    axes: Axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--", label="no loss")
    _each_case(axes, runs, [run.robustness.clean_and_worst(eps_255) if run.robustness else {} for run in runs])
    axes.set_xlim(-0.02, 1.02)
    axes.set_aspect("equal")
    tidy(axes, x="Dice without attack", y=f"Dice under the worst attack, ε = {eps_255:g}/255")
    legend_beside(axes)
    return figure


def fallen_by_budget(runs: Sequence[RunRecords]) -> Figure:
    """The share of each run's cases whose Dice is below half of its clean value at ε, by their least budgets."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes: Axes = figure.subplots()
    for run, (colour, line, _) in zip(runs, run_styles(runs), strict=True):
        if run.robustness and run.robustness.found_least:
            axes.step(*run.robustness.fallen_shares(), where="post", color=colour, ls=line, label=in_picture(run.name))
    axes.set_xlim(left=0)
    axes.set_ylim(-0.02, 1.02)
    tidy(axes, x=_EPS, y="share of cases below half of their clean Dice")
    legend_beside(axes)
    return figure


def share_against_worst(runs: Sequence[RunRecords], eps_255: float) -> Figure:
    """Each case's ε_b / standard deviation (x), and its Dice under the worst attack at ``eps_255`` (y)."""
    figure = Figure(figsize=(6.6, 4.2), layout="constrained")
    axes: Axes = figure.subplots()
    _each_case(axes, runs, [run.robustness.share_and_worst(eps_255) if run.robustness else {} for run in runs])
    axes.set_xlim(left=0)
    tidy(
        axes, x="ε_b / standard deviation of the attacked image", y=f"Dice under the worst attack, ε = {eps_255:g}/255"
    )
    legend_beside(axes)
    return figure


def _each_case(axes: Axes, runs: Sequence[RunRecords], pairs: Sequence[Mapping[str, tuple[float, float]]]) -> None:
    """A point per case and run, Dice upwards."""
    for run, points, (colour, _, marker) in zip(runs, pairs, run_styles(runs), strict=True):
        if points:
            x, y = zip(*points.values(), strict=True)
            axes.plot(x, y, color=colour, ls="", marker=marker, ms=5, alpha=0.65, label=in_picture(run.name))
    axes.set_ylim(-0.02, 1.02)


def _against_budget(axes: Axes, budgets: set[float], title: str = "") -> None:
    axes.set_xticks(sorted(budgets), [f"{eps:g}" for eps in sorted(budgets)])
    axes.set_ylim(-0.02, 1.02)
    tidy(axes, title=title, x=_EPS)
