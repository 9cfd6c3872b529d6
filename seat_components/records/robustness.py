"""The record of an evaluation under attack, robustness.json, and what is averaged from it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import Field, model_validator

from seat_components.budget import RANGE
from seat_components.records.attacked import (
    CLEAN,
    MAIN_EPS_255,
    NOT_ATTACKS,
    WORST,
    Alarm,
    AttackDice,
    AttackedCase,
    BudgetShare,
    CheckedCase,
    Cost,
    LeastBudget,
    SizeDice,
    main_budget,
)
from seat_components.records.evaluated import Evaluated, check_dice, check_labels, check_once
from seat_components.records.model import Name, Rows, read_record
from seat_components.records.numbers import Measured, Number, mean_of

FILE = "robustness.json"
BUDGET_TOLERANCE = 1e-6


class AttackedEvaluation(Evaluated):
    """What an evaluation under attack is one of: the head of robustness.json, without results.

    Attributes:
        settings: each attack's options.
        scope: ``patch`` or ``volume``.
        inputs: what was attacked, patches or whole volumes, in the evaluation's own words.
        budget: what ε is a share of: ``range``, or ``contrast``, a multiple of the standard deviation.
        bounds: (lo, hi) for inputs of a fixed range; None for each sample's and channel's own.
        outputs: ``softmax``, or ``sigmoid`` for structures that may overlap.
        ignore_index: label value of voxels that do not count.
    """

    _order = (
        *("bundle", "weights_sha256", "protocol", "settings", "seed", "scope", "inputs"),
        *("budget", "data", "val_patch_size", "versions", "rule"),
    )

    protocol: str
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    seed: int | None = None
    scope: str = "patch"
    inputs: str = ""
    budget: Name = RANGE
    bounds: Rows[Number] | None = None
    outputs: str = "softmax"
    ignore_index: int | None = None

    def eps_in_words(self, eps_255: float) -> str:
        """``8/255``, or ``8/255 of contrast`` where that is what ε is a share of."""
        return f"{eps_255:g}/255" + ("" if self.budget == RANGE else f" of {self.budget}")


class Robustness(AttackedEvaluation):
    """Everything in robustness.json, with the questions that the report asks of it.

    Attributes:
        summary: means over the finished cases.
        unfinished: the cases that the evaluation was stopped in; they are in no mean.
        files: case → fingerprint of its files.
        volumes_ml: case → label → labelled volume.
        budget_over_std: what each budget amounts to on each case.
        least_budgets: by case, where they were asked for.
        alarms_checked: the alarms that there was something to examine for; None where the file does not say.
    """

    summary: Rows[AttackDice]
    by_size: Rows[SizeDice] = ()
    size_rule: str = ""
    cases: Rows[AttackedCase]
    unfinished: Rows[str] = ()
    files: dict[str, Name] = Field(default_factory=dict)
    volumes_ml: dict[str, dict[str, Measured]] = Field(default_factory=dict)
    budget_over_std: Rows[BudgetShare] = ()
    checks: Rows[CheckedCase] = ()
    least_budgets: Rows[LeastBudget] = ()
    cost: dict[str, Cost] = Field(default_factory=dict)
    alarms: Rows[Alarm] = ()
    alarms_checked: Rows[str] | None = None

    @model_validator(mode="after")
    def _has_an_attack_once(self) -> Robustness:
        for (attack, eps), count in Counter((row.attack, row.eps_255) for row in self.summary).items():
            if count > 1:
                raise ValueError(f"the summary has {attack} at eps_255 {eps:g} more than once, but once is the rule")
        return self

    @property
    def options(self) -> dict[str, str]:
        """Each attack's settings in words, as in ``"steps 20, loss ce"``."""
        return {
            attack: ", ".join(f"{name} {value}" for name, value in row.items()) for attack, row in self.settings.items()
        }

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
        """The budget that tables show (see ``main_budget``); None without any."""
        return main_budget(self.budgets) if self.budgets else None

    @property
    def at_papers_budget(self) -> bool:
        """Whether tables show the paper's budget, 8/255 of the range."""
        return self.budget == RANGE and self.compared_eps == MAIN_EPS_255

    @property
    def case_names(self) -> list[str]:
        """The cases, in the file's order."""
        return list(dict.fromkeys(row.case for row in self.cases))

    @property
    def clean(self) -> float:
        """Mean Dice without attack of all finished cases; NaN where not written."""
        return self.mean_dice(CLEAN, 0)

    def clean_beside(self, eps_255: float | None) -> float:
        """Mean Dice without attack of the cases whose worst case at this budget is known, which it stands beside.

        Of all finished cases where none is. A budget that was asked for later, or stopped, may have fewer cases.
        """
        pairs = {} if eps_255 is None else self.clean_and_worst(eps_255)
        return mean_of(clean for clean, _ in pairs.values()) if pairs else self.clean

    @property
    def largest_linf(self) -> float:
        """The largest max |adv − x| / ε_b of all cases and attacks; NaN where none was written."""
        written = [row.linf_over_budget for row in self.cases if not math.isnan(row.linf_over_budget)]
        return max(written, default=math.nan)

    def mean_dice(self, attack: str, eps_255: float) -> float:
        """The summary's mean Dice; NaN where that attack did not run at that budget."""
        found = (row.mean_dice for row in self.summary if row.attack == attack and row.eps_255 == eps_255)
        return next(found, math.nan)

    def cases_at(self, eps_255: float) -> float:
        """How many cases were attacked at this budget; all finished ones where the file does not say."""
        written = [row.cases for row in self.summary if row.eps_255 == eps_255 and not math.isnan(row.cases)]
        return max(written, default=self._finished)

    @property
    def whole_budgets(self) -> list[float]:
        """The budgets (ε·255) of all finished cases, ascending: the others are no point of a curve."""
        return [eps for eps in self.budgets if self.cases_at(eps) >= self._finished]

    def curve(self, attack: str) -> tuple[list[float], list[float]]:
        """(ε·255, mean Dice) of ``attack``, ascending, beginning with the clean Dice at 0 where it is known."""
        return self._from_clean({eps: self.mean_dice(attack, eps) for eps in self.whole_budgets})

    def average_curve(self) -> tuple[list[float], list[float]]:
        """(ε·255, Dice averaged over the attacks), as in Figure 2; clean, random and worst do not count."""
        return self._from_clean({eps: self.average(eps) for eps in self.whole_budgets})

    def average(self, eps_255: float) -> float:
        """Mean Dice averaged over the attacks that ran on every case of this budget; NaN where none did."""
        rows = (row for row in self.summary if row.attack not in NOT_ATTACKS and row.eps_255 == eps_255)
        return mean_of(row.mean_dice for row in rows if not row.cases < self.cases_at(eps_255))

    def subset(self, attack: str, eps_255: float) -> str:
        """``"8 of 26 cases"`` where an attack ran on some of the finished cases only; empty for the others."""
        own = (row.cases for row in self.summary if row.attack == attack and row.eps_255 == eps_255)
        cases = next(own, math.nan)
        return f"{cases:g} of {self._finished} cases" if cases < self._finished else ""

    def dice_of_cases(self, attack: str, eps_255: float | None) -> dict[str, float]:
        """Mean Dice of each case under ``attack`` at a budget; ``worst`` has the finished cases."""
        return {row.case: row.mean_dice for row in self.cases if row.attack == attack and row.eps_255 == eps_255}

    def clean_and_worst(self, eps_255: float) -> dict[str, tuple[float, float]]:
        """(clean, worst) mean Dice by case at this budget, of the cases that have both."""
        clean, worst = self.dice_of_cases(CLEAN, 0), self.dice_of_cases(WORST, eps_255)
        return {case: (clean[case], dice) for case, dice in sorted(worst.items()) if case in clean}

    def share_and_worst(self, eps_255: float) -> dict[str, tuple[float, float]]:
        """(ε_b / standard deviation of the image, worst mean Dice) by case at this budget, where both are known."""
        worst = self.dice_of_cases(WORST, eps_255)
        return {
            row.case: (row.image, worst[row.case])
            for row in self.budget_over_std
            if row.eps_255 == eps_255 and row.image is not None and row.case in worst
        }

    @property
    def found_least(self) -> list[LeastBudget]:
        """The least budgets of the finished cases, ascending; those without one last."""
        finished = (row for row in self.least_budgets if row.case not in self.unfinished)
        return sorted(finished, key=lambda row: row.least)

    def fallen_shares(self) -> tuple[list[float], list[float]]:
        """(ε·255, share of the finished cases that have fallen by then), ascending from 0 to the largest ε searched."""
        found = self.found_least
        steps = [(row.eps_255, (place + 1) / len(found)) for place, row in enumerate(found) if row.eps_255 is not None]
        end = max(row.kept_255 if row.eps_255 is None else row.eps_255 for row in found)
        points = [(0.0, 0.0), *steps, (end, len(steps) / len(found))]
        return [eps for eps, _ in points], [share for _, share in points]

    @property
    def median_least(self) -> str:
        """Their median in words, as in ``"9.25/255"`` or ``"above 64/255"``; empty without any."""
        found = self.found_least
        if not found:
            return ""
        middle = median(row.least for row in found)
        end = max(row.kept_255 for row in found)
        return self.eps_in_words(middle) if middle < math.inf else f"above {self.eps_in_words(end)}"

    def check_continued(self, labels: Sequence[str]) -> None:
        """Check that an evaluation of ``labels`` can go on with this record.

        Raises:
            ValueError: naming the place and the rule.
        """
        for name in ("checks", "volumes_ml", "cost"):
            if name not in self.model_fields_set:
                raise ValueError(f"has no {name!r}, but it must have it")
        for number, row in enumerate(self.cases):
            place = f"cases[{number}]"
            check_dice(place, row.dice, labels)
            if not 0 <= row.linf_over_budget < math.inf:
                raise ValueError(
                    f"{place}: 'linf_over_budget' is {row.linf_over_budget:g}, but it must be a number, 0 or more"
                )
            if row.skipped and row.of is None:
                raise ValueError(f"{place}: 'of' is missing, but what was skipped must name the attack it stands for")
        check_once([(row.case, row.attack, row.eps_255) for row in self.cases])
        clean = {row.case for row in self.cases if row.attack == CLEAN}
        if without := [row.case for row in self.cases if row.attack != WORST and row.case not in clean]:
            raise ValueError(f"case {without[0]} has no row of the attack {CLEAN}, but each case begins with it")
        searched = [row.case for row in self.least_budgets]
        if wrong := [case for case in searched if case not in clean or searched.count(case) > 1]:
            raise ValueError(f"'least_budgets' has {wrong[0]}, but each is of one of the cases, and none has two")
        for case, volumes in self.volumes_ml.items():
            check_labels(f"'volumes_ml' of {case}", volumes, labels)

    @property
    def _finished(self) -> int:
        return len(set(self.case_names) - set(self.unfinished))

    def _from_clean(self, by_budget: dict[float, float]) -> tuple[list[float], list[float]]:
        known = {eps: dice for eps, dice in {0.0: self.clean, **by_budget}.items() if not math.isnan(dice)}
        return sorted(known), [known[eps] for eps in sorted(known)]


def read_robustness(path: Path) -> Robustness:
    """Read ``path``.

    Raises:
        RefusalError: if a field is missing or does not fit, or an attack stands twice at one budget.
    """
    return read_record(Robustness, path)
