"""The record of an evaluation under attack, robustness.json, and what is averaged from it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seat_components.records.fields import Fields
from seat_components.refusals import refuse

FILE = "robustness.json"
CLEAN, RANDOM, WORST = "clean", "random", "worst"
NOT_ATTACKS = (CLEAN, RANDOM, WORST)
BUDGET_TOLERANCE = 1e-6
COMPARED_EPS = 8.0
WHOLE_RANGE = 255


@dataclass(frozen=True)
class AttackDice:
    """Mean foreground Dice over ``cases`` cases (NaN where not written) under one attack at ε = ``eps_255``/255."""

    attack: str
    eps_255: float
    mean_dice: float
    dice: dict[str, float]
    cases: float


@dataclass(frozen=True)
class SizeDice:
    """Mean Dice of one label over the cases of one size, from ``least`` to ``most`` ml, under one attack."""

    label: str
    size: str
    least: float
    most: float
    cases: float
    attack: str
    eps_255: float
    dice: float


@dataclass(frozen=True)
class AttackedCase:
    """One case under one attack; ``linf_over_budget`` is max |adv − x| / ε_b, NaN where not written."""

    case: str
    attack: str
    eps_255: float
    mean_dice: float
    linf_over_budget: float


@dataclass(frozen=True)
class Cost:
    """What one attack cost over the whole evaluation: passes of the network, and seconds."""

    forwards: float
    backwards: float
    seconds: float


@dataclass(frozen=True)
class Robustness:
    """Everything in robustness.json, with the questions that the report asks of it.

    Attributes:
        inputs: what was attacked, patches or whole volumes, in the evaluation's own words.
        data: what the dataset says about itself.
        scope: ``patch`` or ``volume``.
        unfinished: the cases that the evaluation was stopped in; they are in no mean.
        alarms_checked: the alarms that there was something to examine for; None where the file does not say.
    """

    bundle: str
    weights_sha256: str
    protocol: str
    settings: dict[str, str]
    rule: str
    inputs: str
    data: str
    seed: str
    device: str
    versions: dict[str, str]
    summary: tuple[AttackDice, ...]
    cases: tuple[AttackedCase, ...]
    by_size: tuple[SizeDice, ...]
    size_rule: str
    cost: dict[str, Cost]
    alarms: tuple[str, ...]
    alarms_checked: tuple[str, ...] | None
    scope: str = "patch"
    unfinished: tuple[str, ...] = ()

    @property
    def attacks(self) -> list[str]:
        """The names in the summary, in the file's order, clean first and worst last."""
        names = dict.fromkeys(row.attack for row in self.summary)
        return sorted(names, key=lambda name: (name != CLEAN, name == WORST))

    @property
    def budgets(self) -> list[float]:
        """The budgets (ε·255) above 0 in the summary, ascending."""
        return sorted({row.eps_255 for row in self.summary if row.eps_255 > 0})

    @property
    def compared_eps(self) -> float | None:
        """The budget that tables show: 8 (the paper's) where it was run, else the largest; None without any."""
        budgets = self.budgets
        return COMPARED_EPS if COMPARED_EPS in budgets else budgets[-1] if budgets else None

    @property
    def case_names(self) -> list[str]:
        """The cases, in the file's order."""
        return list(dict.fromkeys(row.case for row in self.cases))

    @property
    def clean(self) -> float:
        """Mean Dice without attack; NaN where not written."""
        return self.mean_dice(CLEAN, 0)

    @property
    def largest_linf(self) -> float:
        """The largest max |adv − x| / ε_b of all cases and attacks; NaN where none was written."""
        return max(
            (row.linf_over_budget for row in self.cases if not math.isnan(row.linf_over_budget)), default=math.nan
        )

    def mean_dice(self, attack: str, eps_255: float) -> float:
        """The summary's mean Dice; NaN where that attack did not run at that budget."""
        found = (row.mean_dice for row in self.summary if row.attack == attack and row.eps_255 == eps_255)
        return next(found, math.nan)

    def curve(self, attack: str) -> tuple[list[float], list[float]]:
        """(ε·255, mean Dice) of ``attack``, ascending, beginning with the clean Dice at 0 where it is known."""
        return self._from_clean({row.eps_255: row.mean_dice for row in self.summary if row.attack == attack})

    def average_curve(self) -> tuple[list[float], list[float]]:
        """(ε·255, Dice averaged over the attacks), as in Figure 2; clean, random and worst do not count."""
        return self._from_clean({eps: self.average(eps) for eps in self.budgets})

    def average(self, eps_255: float) -> float:
        """Mean Dice averaged over the attacks that ran on every case at this budget; NaN where none did."""
        rows = (row for row in self.summary if row.attack not in NOT_ATTACKS and row.eps_255 == eps_255)
        return mean_of(row.mean_dice for row in rows if not self.subset(row.attack))

    def subset(self, attack: str) -> str:
        """``"8 of 26 cases"`` for an attack that ran on some of the cases only; empty for the others."""
        every, own = len(self.case_names), [row.cases for row in self.summary if row.attack == attack]
        fewest = min((cases for cases in own if not math.isnan(cases)), default=math.nan)
        return f"{fewest:g} of {every} cases" if fewest < every else ""

    def clean_and_worst(self, eps_255: float) -> dict[str, tuple[float, float]]:
        """(clean, worst) mean Dice by case at this budget, of the cases that have both.

        Where the file has no row "worst" for a case, the lowest mean Dice of its attacks stands in.
        """
        at_budget = [row for row in self.cases if row.eps_255 == eps_255 and not math.isnan(row.mean_dice)]
        lowest: dict[str, float] = {}
        for row in sorted(at_budget, key=lambda row: row.mean_dice):
            if row.attack not in NOT_ATTACKS:
                lowest.setdefault(row.case, row.mean_dice)
        lowest.update({row.case: row.mean_dice for row in at_budget if row.attack == WORST})
        clean = {row.case: row.mean_dice for row in self.cases if row.attack == CLEAN}
        return {case: (clean[case], worst) for case, worst in sorted(lowest.items()) if case in clean}

    def _from_clean(self, by_budget: dict[float, float]) -> tuple[list[float], list[float]]:
        known = {eps: dice for eps, dice in {0.0: self.clean, **by_budget}.items() if not math.isnan(dice)}
        return sorted(known), [known[eps] for eps in sorted(known)]


def mean_of(values: Iterable[float]) -> float:
    """The mean of an iterable of numbers, NaN left out; NaN where nothing is left."""
    array = np.asarray(list(values), dtype=np.float64)
    measured = array[~np.isnan(array)]
    return float(measured.mean()) if measured.size else math.nan


def read_robustness(path: Path) -> Robustness:
    """Read ``path``.

    Raises:
        RefusalError: if a field is missing or does not fit, or an attack stands twice at one budget.
    """
    fields = Fields.of_file(path)
    summary = tuple(
        AttackDice(
            row.text("attack"), eps_of(row), row.dice("mean_dice"), row.dice_by_label(), row.number("cases", math.nan)
        )
        for row in fields.records("summary")
    )
    for (attack, eps), count in Counter((row.attack, row.eps_255) for row in summary).items():
        if count > 1:
            refuse(f"{path}: the summary has {attack} at eps_255 {eps:g} more than once, but once is the rule")
    cost = fields.record("cost").items() if "cost" in fields else []
    return Robustness(
        bundle=fields.text("bundle", "unnamed"),
        weights_sha256=fields.text("weights_sha256", ""),
        protocol=fields.text("protocol"),
        settings=_settings(fields),
        rule=fields.text("rule", ""),
        inputs=fields.text("inputs", ""),
        data=fields.text("data", ""),
        seed=fields.text("seed", "not written"),
        device=fields.text("device", "not written"),
        versions=fields.record("versions").texts() if "versions" in fields else {},
        summary=summary,
        cases=tuple(_case(row) for row in fields.records("cases")),
        by_size=tuple(_size(row) for row in fields.records("by_size")) if "by_size" in fields else (),
        size_rule=fields.text("size_rule", ""),
        cost={attack: cost_of(row) for attack, row in cost},
        alarms=tuple(_alarms(fields)) if "alarms" in fields else (),
        alarms_checked=tuple(fields.text_list("alarms_checked")) if "alarms_checked" in fields else None,
        scope=fields.text("scope", "patch"),
        unfinished=tuple(fields.text_list("unfinished")) if "unfinished" in fields else (),
    )


def _settings(fields: Fields) -> dict[str, str]:
    """Each attack's options as text; empty where the file does not have them."""
    if "settings" not in fields:
        return {}
    settings = fields.record("settings")
    options = {attack: row.texts() for attack, row in settings.items()}
    return {attack: ", ".join(f"{name} {value}" for name, value in found.items()) for attack, found in options.items()}


def eps_of(row: Fields) -> float:
    """A row's budget, which only the attack clean has at 0."""
    eps = row.number("eps_255")
    if not 0 <= eps <= WHOLE_RANGE:
        refuse(f"{row.place}: 'eps_255' is {eps:g}, but a budget is 0 or a positive number of 255ths, up to 255")
    if row.text("attack") == CLEAN and eps:
        refuse(f"{row.place}: 'eps_255' is {eps:g}, but the attack clean has eps_255 0")
    return eps


def _case(row: Fields) -> AttackedCase:
    dice = row.dice_by_label()
    mean = row.dice("mean_dice") if "mean_dice" in row else mean_of(dice.values())
    return AttackedCase(
        row.text("case"), row.text("attack"), eps_of(row), mean, row.number("linf_over_budget", math.nan)
    )


def _size(row: Fields) -> SizeDice:
    extent = [value for value in row.array("ml") if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(extent) != 2:
        refuse(f"{row.place}: 'ml' must be the least and the most volume of the group in ml")
    return SizeDice(
        *(row.text("label"), row.text("size"), float(extent[0]), float(extent[1]), row.number("cases")),
        *(row.text("attack"), eps_of(row), row.dice("dice")),
    )


def cost_of(row: Fields) -> Cost:
    """What one attack cost."""
    return Cost(row.measured("forwards"), row.measured("backwards"), row.measured("seconds"))


def _alarms(fields: Fields) -> list[str]:
    texts = []
    for i, alarm in enumerate(fields.array("alarms")):
        if isinstance(alarm, str):
            texts.append(alarm)
        else:
            row = Fields(alarm, f"{fields.place}: alarms[{i}]")
            texts.append(": ".join(part for part in (row.text("alarm", ""), row.text("message", "")) if part))
    return texts
