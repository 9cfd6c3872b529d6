"""Dice against backpropagations: which methods are shown, where their points lie, and how they differ."""

import math
from dataclasses import replace

import pytest
from matplotlib.colors import to_hex

from seat_components.reporting.dice_by_cost import dice_by_cost
from seat_components.reporting.methods import CostPoint, Method, methods_of, over_seeds, readable

KINDS = ("clean", "random", "free", "pgd", "seat", "growing", "phased", "nfgsm", "another")


def method(name, kind, *budgets):
    """One whose worst-case Dice at each budget is that of three seeds around a value."""
    points = tuple(CostPoint(cost, (0.8, 0.8, 0.8), (dice - 0.01, dice, dice + 0.01)) for cost, dice in budgets)
    return Method(name, kind, points)


def drawn(axes):
    """The lines of a panel by their names: (x, y, colour, marker)."""
    lines = [(bars.get_label(), bars.lines[0]) for bars in axes.containers]
    return {name: (*line.get_data(), to_hex(line.get_color()), line.get_marker()) for name, line in lines}


def test_of_too_many_the_best_of_each_kind_at_its_largest_budget_is_shown():
    free = [method(f"free-{i}", "free", (10, 0.1 * i), (20, 0.5 - 0.05 * i)) for i in range(6)]
    others = [method(kind, kind, (20, 0.3)) for kind in ("seat", "phased", "clean")]
    assert [one.name for one in readable([*free, *others])] == ["free-0", "seat", "phased", "clean"]
    assert readable(free) == free, "eight or fewer are all shown"
    many = [method(kind, kind, (20, 0.1 * i)) for i, kind in enumerate(KINDS)]
    assert [one.kind for one in readable(many)] == list(KINDS[:0:-1]), "the worst is left to the table"


@pytest.mark.parametrize("kinds", [KINDS[:8], KINDS[1:]])
def test_eight_kinds_have_eight_colours_and_markers(kinds):
    lines = drawn(dice_by_cost([method(kind, kind, (20, 0.5)) for kind in kinds]).axes[0])
    assert len({colour for *_, colour, _ in lines.values()}) == len({marker for *_, marker in lines.values()}) == 8


def test_a_line_goes_through_its_budgets_in_their_order():
    two = [method("phased", "phased", (190, 0.65), (36, 0.6)), method("free", "free", (40, 0.7))]
    worst, clean = (drawn(axes) for axes in dice_by_cost(two).axes)
    assert [list(part) for part in worst["phased"][:2]] == [[36, 190], pytest.approx([0.6, 0.65])]
    assert list(clean["free"][1]) == pytest.approx([0.8])


def test_three_seeds_have_students_interval_and_two_none():
    mean, half = over_seeds([0.5, 0.6, 0.7])
    assert (mean, half) == pytest.approx((0.6, 4.302653 * 0.1 / math.sqrt(3)))
    assert math.isnan(over_seeds([0.5, 0.6])[1])


def test_runs_are_compared_only_where_they_were_attacked_alike(written_report):
    runs = written_report.runs
    assert (written_report.page.parent / "report_dice_by_cost.png").is_file()
    methods = methods_of(runs)
    assert [one.name for one in methods] == [run.name for run in runs]
    for one, run in zip(methods, runs, strict=True):
        (budget,) = one.budgets
        assert budget.backpropagations == run.history.backpropagations
        assert budget.worst == (run.robustness.mean_dice("worst", 8),)
    other = replace(runs[0], robustness=runs[0].robustness.model_copy(update={"protocol": "quick"}))
    assert methods_of([other, *runs[1:]]) == []
    assert methods_of(runs[:1]) == []
