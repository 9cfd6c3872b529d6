"""Methods by what their training cost and what an attack left: the points of the picture, and which are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy import stats

from seat_components.records.attacked import WORST
from seat_components.reporting.records import RunRecords

_MOST_LINES = 8
_FEWEST_SEEDS = 3


@dataclass(frozen=True)
class CostPoint:
    """What a method came to with so many backpropagations.

    Attributes:
        backpropagations: per batch.
        clean: mean Dice without attack, of each seed.
        worst: mean Dice in the worst case, of each seed.
    """

    backpropagations: float
    clean: tuple[float, ...]
    worst: tuple[float, ...]


@dataclass(frozen=True)
class Method:
    """A line of the picture.

    Attributes:
        name: how the picture calls it.
        kind: what it is a variant of; variants share their colour.
        budgets: its points, one or more.
    """

    name: str
    kind: str
    budgets: tuple[CostPoint, ...]

    @property
    def best(self) -> float:
        """Worst-case Dice at its largest budget."""
        return fmean(max(self.budgets, key=lambda budget: budget.backpropagations).worst)


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """The mean over seeds, and half of its 95 % interval by Student's t; of fewer than three seeds NaN."""
    if len(values) < _FEWEST_SEEDS:
        return fmean(values), math.nan
    return fmean(values), float(stats.t.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))


def readable(methods: Sequence[Method]) -> list[Method]:
    """What a reader can tell apart: all, or where they are too many the best of each kind."""
    if len(methods) <= _MOST_LINES:
        return list(methods)
    best = {kind: max((one for one in methods if one.kind == kind), key=_best) for kind in (m.kind for m in methods)}
    return sorted(best.values(), key=_best, reverse=True)[:_MOST_LINES]


def _best(method: Method) -> float:
    return method.best


def methods_of(runs: Sequence[RunRecords]) -> list[Method]:
    """The runs that were attacked alike, each a method with one budget; none where fewer than two can be compared."""
    attacked = [(run, run.robustness, run.history) for run in runs]
    complete = [(run, record, history) for run, record, history in attacked if record and history]
    alike = {
        (
            *(record.protocol, record.compared_eps, record.budget, record.scope),
            *(tuple(sorted(record.case_names)), tuple(sorted(record.options.items()))),
        )
        for _, record, _ in complete
    }
    methods = []
    for run, record, history in complete:
        clean = record.clean_beside(record.compared_eps)
        worst = record.mean_dice(WORST, record.compared_eps or 0)
        if not any(map(math.isnan, (history.backpropagations, clean, worst))):
            budget = CostPoint(history.backpropagations, (clean,), (worst,))
            methods.append(Method(run.name, (run.description.method or run.name).lower(), (budget,)))
    return methods if len(methods) > 1 and len(alike) == 1 else []
