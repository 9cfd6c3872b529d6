"""Alarms: signs that a robustness number is not to be trusted yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import fmean

from seat_components.evaluation import answers
from seat_components.evaluation.answers import NEAR_ZERO, Verdict
from seat_components.evaluation.protocols import LARGE_BUDGET, MORE_EFFORT, is_gradient_attack
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.alarm_names import ALARM_NAMES
from seat_components.records.attacked import AttackedCase, mean_dice, worst_rows

_TOLERANCE = 0.02
"""A difference of mean Dice up to this is not worth an alarm."""


def raise_alarms(records: RobustnessRecords) -> list[dict[str, str]]:
    """All alarms that the records give reason for, as {"alarm": name, "message": what it means and what to do}."""
    verdicts = {name: examine(records) for name, examine in ALARMS.items()}
    return [{"alarm": name, "message": message} for name, message in verdicts.items() if message]


def examined(records: RobustnessRecords) -> list[str]:
    """The alarms for which the records hold something to examine, ringing or silent."""
    return [name for name, examine in ALARMS.items() if examine(records) is not None]


def _black_box_beats_white_box(records: RobustnessRecords) -> Verdict:
    """A search without gradients finds worse images than gradients do: the gradients are masked."""
    gains: dict[float, list[float]] = {}
    for row in _of(records, lambda name: name == "square"):
        white = _of(records, is_gradient_attack, row.case, row.eps_255)
        if white and not row.skipped:  # a search that did not run proves nothing
            gains.setdefault(row.eps_255, []).append(max(0.0, min(map(mean_dice, white)) - mean_dice(row)))
    if not gains:
        return None
    eps, gain = max(((eps, fmean(values)) for eps, values in gains.items()), key=lambda pair: pair[1])
    if gain <= _TOLERANCE:
        return ""
    return (
        f"Square, which sees no gradient, lowers the gradient attacks' worst case by {gain:.3f} Dice at {eps:g}/255: "
        "the gradients are masked. Look for saturated or rounded outputs, and do not trust the gradient attacks."
    )


def _more_effort_changes_it(records: RobustnessRecords) -> Verdict:
    """Twice the steps from another start find worse images: the attacks had not converged."""
    worst = {(row.case, row.eps_255): mean_dice(row) for row in worst_rows(records.cases)}
    checks = [row for row in records.checks if row.check == MORE_EFFORT and (row.case, row.eps_255) in worst]
    if not checks:
        return None
    gain = fmean(max(0.0, worst[row.case, row.eps_255] - row.value) for row in checks)
    if gain <= _TOLERANCE:
        return ""
    return (
        f"Twice the steps from another start lower the worst case by {gain:.3f} Dice on {len(checks)} case(s): the "
        "attacks have not converged. Give --steps a larger number, until this is silent."
    )


def _large_budget_leaves_dice(records: RobustnessRecords) -> Verdict:
    """No network can be right at 64/255: an attack that leaves Dice there fails for reasons of its own."""
    left = [row.value for row in records.checks if row.check == LARGE_BUDGET]
    if not left:
        return None
    if fmean(left) <= NEAR_ZERO:
        return ""
    return (
        f"At ε = 64/255 a mean Dice of {fmean(left):.3f} is left on {len(left)} case(s), where no image keeps its "
        "content: the attack fails for reasons of its own. Look for a step inside the network that undoes "
        "perturbations, for masked gradients, or for classes that the loss does not reach."
    )


def _larger_budget_is_weaker(records: RobustnessRecords) -> Verdict:
    """An attack does worse with more freedom: it does not use what it is given."""
    compared = False
    for attack in dict.fromkeys(row.attack for row in _of(records, is_gradient_attack)):
        dice: dict[float, dict[str, float]] = {}
        for row in _of(records, attack.__eq__):
            dice.setdefault(row.eps_255, {})[row.case] = mean_dice(row)
        for smaller, larger in combinations(sorted(dice), 2):
            both = sorted(set(dice[smaller]) & set(dice[larger]))
            if not both:
                continue
            compared = True
            less, more = (fmean(dice[eps][case] for case in both) for eps in (smaller, larger))
            if more - less > _TOLERANCE:
                return (
                    f"{attack} leaves {more:.3f} Dice at {larger:g}/255 but {less:.3f} at {smaller:g}/255 on the same "
                    "case(s): it does not use its budget. Give it more steps, and look at its step size."
                )
    return "" if compared else None


def _random_noise_hurts(records: RobustnessRecords) -> Verdict:
    """Random noise within the budget costs Dice: the network is fragile, not only attackable."""
    clean = {row.case: mean_dice(row) for row in records.cases if row.attack == "clean"}
    losses: dict[float, list[float]] = {}
    for row in _of(records, lambda name: name == "random"):
        losses.setdefault(row.eps_255, []).append(clean[row.case] - mean_dice(row))
    if not losses:
        return None
    hurt = {eps: fmean(values) for eps, values in losses.items() if fmean(values) > _TOLERANCE}
    if not hurt:
        return ""
    return (
        f"Random noise at {min(hurt):g}/255 costs {hurt[min(hurt)]:.3f} Dice: the network is fragile without attack, "
        "and robust Dice measures that as well. Train with noise, or adversarially."
    )


def _of(
    records: RobustnessRecords, wanted: Callable[[str], bool], case: str | None = None, eps_255: float | None = None
) -> Sequence[AttackedCase]:
    return [
        row
        for row in records.cases
        if wanted(row.attack) and case in (None, row.case) and eps_255 in (None, row.eps_255)
    ]


# In the order of their names.
_EXAMINATIONS: tuple[Callable[[RobustnessRecords], Verdict], ...] = (
    answers.logits_not_finite,
    answers.outputs_are_probabilities,
    answers.loss_saturated,
    answers.not_deterministic,
    answers.zero_gradients,
    _black_box_beats_white_box,
    _more_effort_changes_it,
    _large_budget_leaves_dice,
    _larger_budget_is_weaker,
    _random_noise_hurts,
)
ALARMS = dict(zip(ALARM_NAMES, _EXAMINATIONS, strict=True))
