"""The rows of robustness.json: a case under an attack, what is averaged over cases, checks, costs and alarms."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from seat_components.records.model import KeptRecord, Name, Record, Rows
from seat_components.records.numbers import Budget, Dice, Measured, Number, mean_of

CLEAN, _RANDOM, WORST = "clean", "random", "worst"
NOT_ATTACKS = (CLEAN, _RANDOM, WORST)
MAIN_EPS_255 = 8.0
"""The paper's budget: of one-budget attacks, of checks and of tables."""


class _Attacked(Protocol):
    @property
    def attack(self) -> str: ...
    @property
    def eps_255(self) -> float: ...


A = TypeVar("A", bound=_Attacked)
_Row = TypeVar("_Row")
_Key = TypeVar("_Key")


class _Scored(Protocol):
    @property
    def dice(self) -> dict[str, float]: ...
    @property
    def mean_dice(self) -> float: ...


def _clean_has_no_budget(row: A) -> A:
    if row.attack == CLEAN and row.eps_255:
        raise ValueError(f"'eps_255' is {row.eps_255:g}, but the attack clean has eps_255 0")
    return row


class AttackMean(Record):
    """Mean foreground Dice over ``cases`` cases (NaN where not written) under one attack at ε = ``eps_255``/255."""

    attack: str
    eps_255: Budget
    cases: Number = math.nan
    mean_dice: Dice

    _clean = model_validator(mode="after")(_clean_has_no_budget)


class AttackDice(AttackMean):
    """The same also by label."""

    dice: dict[str, Dice]


class SizeDice(Record):
    """Mean Dice of one label over the cases of one size, under one attack.

    Attributes:
        ml: the least and the most volume in the group.
    """

    label: str
    size: str
    ml: Rows[Measured]
    attack: str
    eps_255: Budget
    cases: Measured
    dice: Dice

    _clean = model_validator(mode="after")(_clean_has_no_budget)

    @model_validator(mode="after")
    def _has_an_extent(self) -> SizeDice:
        if len(self.ml) != 2:
            raise ValueError("'ml' must be the least and the most volume of the group in ml")
        return self


class AttackedCase(KeptRecord):
    """One case under one attack.

    Attributes:
        dice: by label.
        linf_over_budget: max |adv − x| / ε_b, NaN where not written.
        skipped: the attack did not run, as another had brought the case to Dice 0 already.
        of: the attack whose result this is, where it is not its own.
        of_eps_255: the smaller budget that a ``worst`` row was found at; None where it is its own.
    """

    case: Name
    attack: Name
    eps_255: Budget
    dice: dict[str, Dice]
    linf_over_budget: Number = math.nan
    skipped: bool = False
    of: Name | None = None
    of_eps_255: Budget | None = None

    _clean = model_validator(mode="after")(_clean_has_no_budget)

    @model_serializer(mode="wrap")
    def _result_first(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = dump(self)
        # A row of the worst case begins with its result.
        first = ("dice", "linf_over_budget") if self.attack == WORST else ()
        return {name: values[name] for name in (*first, *values)}

    @staticmethod
    def columns(labels: Sequence[str]) -> list[str]:
        """The columns of robustness.csv."""
        by_label = [f"dice_{label}" for label in labels]
        return ["case", "attack", "eps_255", "mean_dice", *by_label, "linf_over_budget", "of", "of_eps_255"]

    def cells(self) -> dict[str, Any]:
        """The row of robustness.csv, by column."""
        by_label = {f"dice_{label}": dice for label, dice in self.dice.items()}
        return {**dict(self), "mean_dice": self.mean_dice, **by_label}

    @property
    def mean_dice(self) -> float:
        """Mean over the labels that are defined; NaN without any."""
        return mean_of(self.dice.values())

    @property
    def ran(self) -> str:
        """The attack whose result this is."""
        return self.of or self.attack


class BudgetShare(KeptRecord):
    """What a budget amounts to on a case: ε_b / standard deviation, mean over channels, constant ones left out.

    Attributes:
        image: over the image as it was attacked, patch or volume; None where it is constant.
        foreground: over its voxels of label > 0; None where there are none, or they are constant.
    """

    case: Name
    eps_255: Budget
    image: Measured | None
    foreground: Measured | None


class LeastBudget(KeptRecord):
    """The smallest ε found at which a case's mean Dice is below half of its clean value.

    Attributes:
        eps_255: that ε; None where half or more is left at the search's upper end. 0 where the clean Dice is 0.
        kept_255: the largest ε below it at which the search left half or more; the upper end where there is no ε.
        clean_dice: without attack.
        dice: what is left at ``eps_255``; at ``kept_255`` where there is no ε.
        of: the protocol's attack that found it; None where the search did.
        forwards, backwards: passes that the search took, one sample each.
    """

    case: Name
    eps_255: Budget | None
    kept_255: Budget
    clean_dice: Dice
    dice: Dice
    of: Name | None = None
    forwards: Measured
    backwards: Measured

    @property
    def least(self) -> float:
        """ε·255 to sort by; infinity where there is none."""
        return math.inf if self.eps_255 is None else self.eps_255


class CheckedCase(KeptRecord):
    """Something measured for the alarms only; fields beside these as the check needs them."""

    check: Name
    case: Name
    value: Measured
    attack: Name | None = None
    eps_255: Measured = math.nan


class Cost(Record):
    """What one attack cost over the whole evaluation: passes of the network, and seconds."""

    forwards: Measured
    backwards: Measured
    seconds: Measured


class Alarm(Record):
    """A sign that a number is not to be trusted yet; in the file also a text alone."""

    alarm: str = ""
    message: str = ""

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        return {"message": value} if isinstance(value, str) else value

    def __str__(self) -> str:
        return ": ".join(part for part in (self.alarm, self.message) if part)


def main_budget(eps_255: Collection[float]) -> float:
    """8, the paper's budget, where it is among ``eps_255``; else the largest."""
    return MAIN_EPS_255 if MAIN_EPS_255 in eps_255 else max(eps_255)


def worst_rows(rows: Sequence[AttackedCase]) -> list[AttackedCase]:
    """Per case and ε, the row of lowest mean Dice of all that ran within ε, the clean image included; as ``worst``.

    What a smaller budget found lies within a larger one: its row is carried over where it is lower, and marked with the
    budget that it was found at, ``of_eps_255``. The row's ``of`` names the attack that it is.
    """
    clean = {row.case: row for row in rows if row.eps_255 == 0}
    worst: dict[tuple[str, float], AttackedCase] = {}
    for row in rows:
        if row.eps_255 == 0:
            continue
        key = (row.case, row.eps_255)
        rivals = [rival for rival in (worst.get(key), clean.get(row.case), row) if rival is not None]
        worst[key] = min(rivals, key=mean_dice)
    for case, eps in sorted(worst):
        # In ascending order, so that the next smaller budget has all that the smaller ones found.
        smaller = max((less for other, less in worst if other == case and less < eps), default=None)
        if smaller is not None and worst[case, smaller].mean_dice < worst[case, eps].mean_dice:
            worst[case, eps] = worst[case, smaller]
    return [_as_worst(row, eps) for (_, eps), row in worst.items()]


def _as_worst(row: AttackedCase, eps_255: float) -> AttackedCase:
    carried: dict[str, Any] = {"of_eps_255": row.eps_255} if 0 < row.eps_255 < eps_255 else {}
    over = row.linf_over_budget * (row.eps_255 / eps_255 if carried else 1)
    return AttackedCase(
        case=row.case, attack=WORST, eps_255=eps_255, dice=row.dice, linf_over_budget=over, of=row.ran, **carried
    )


def mean_dice(row: AttackedCase) -> float:
    """Mean Dice of a row, to sort by."""
    return row.mean_dice


def summarise(rows: Sequence[AttackedCase], labels: Sequence[str]) -> list[AttackDice]:
    """Mean over all cases that an attack was to run on, at each ε, in order of appearance; with their number."""
    groups = grouped(rows, lambda row: (row.attack, row.eps_255))
    return [
        AttackDice(
            attack=attack,
            eps_255=eps_255,
            **means_over(group, labels),
        )
        for (attack, eps_255), group in groups.items()
    ]


def grouped(rows: Sequence[_Row], key: Callable[[_Row], _Key]) -> dict[_Key, list[_Row]]:
    """The rows by what ``key`` says of each, in order of appearance."""
    groups: dict[_Key, list[_Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def means_over(rows: Sequence[_Scored], labels: Sequence[str]) -> dict[str, Any]:
    """Number of rows, and mean Dice over them: of all labels, and by label."""
    by_label = {label: mean_of(row.dice[label] for row in rows) for label in labels}
    return {"cases": len(rows), "mean_dice": mean_of(row.mean_dice for row in rows), "dice": by_label}
