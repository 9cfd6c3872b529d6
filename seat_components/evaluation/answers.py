"""What a network answers at the clean image, asked twice, and the alarms about what attacks cannot work with."""

from __future__ import annotations

import math
from statistics import fmean

import torch
from torch import Tensor

from seat_components.attacks import LOSSES, Predictor
from seat_components.attacks.losses import are_probabilities, voxel_margin
from seat_components.attacks.reading import Reading, not_finite
from seat_components.attacks.victim import Victim, under_attack
from seat_components.evaluation.case import Case
from seat_components.evaluation.protocols import is_gradient_attack
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.alarm_names import (
    NOT_DETERMINISTIC,
    NOT_FINITE,
    PROBABILITIES,
    SATURATED,
    ZERO_GRADIENTS,
)
from seat_components.records.attacked import main_budget, mean_dice

_ZERO_SHARE = 0.1
"""Share of voxels whose gradient may be exactly 0 or not finite."""
_SATURATED_SHARE = 0.5
"""Share of the voxels of every class whose cross-entropy may be exactly 0."""
NEAR_ZERO = 0.1
"""Mean Dice that is as good as none."""
_SAME_ANSWER = 1e-3
"""How far two answers may differ, as a share of the largest logit, since devices add up in any order."""

Verdict = str | None
"""What an alarm says: a message where it rings, nothing ("") where it is silent, None where nothing was to examine."""


def questions(follows_gradients: bool) -> list[str]:
    """The checks that ``examine_answers`` makes."""
    asked = [NOT_FINITE, PROBABILITIES, SATURATED, NOT_DETERMINISTIC]
    return [*asked, ZERO_GRADIENTS] if follows_gradients else asked


def examine_answers(
    predictor: Predictor,
    case: Case,
    first: Tensor,
    reading: Reading,
    bounds: tuple[float, float] | None = None,
    follows_gradients: bool = True,
) -> dict[str, float]:
    """Predict the clean image once more, with its gradient where attacks follow it: check → value.

    Args:
        predictor: image → logits.
        case: the case.
        first: the logits (1, K, *spatial) of the first time.
        reading: how they are read.
        bounds: (lo, hi) for inputs of a fixed range.
        follows_gradients: whether the gradient is to be looked at.
    """
    options = {"outputs": reading.outputs, "ignore_index": reading.ignore_index}
    with under_attack(predictor, case.image, case.label, 1.0, bounds, **options) as victim:  # type: ignore[arg-type]
        point = victim.image.clone().requires_grad_(follows_gradients)
        with torch.set_grad_enabled(follows_gradients):
            second = victim.logits(point)
            losses = reading.losses(LOSSES["ce"], second, victim.label)
            zeros = _zero_share(victim, victim.gradient(losses, point)) if follows_gradients else 0.0
    second, label = second.detach(), victim.label
    found = {
        NOT_FINITE: float(not_finite(second).double().mean()),
        PROBABILITIES: float(_are_probabilities(second, reading)),
        SATURATED: _saturated_share(second, label, reading),
        NOT_DETERMINISTIC: _difference(first, second),
        ZERO_GRADIENTS: zeros,
    }
    return {name: found[name] for name in questions(follows_gradients)}


def _zero_share(victim: Victim, gradient: Tensor) -> float:
    """Share of the image's elements, constant channels left out, whose gradient is 0 or not finite."""
    zeros = gradient[(victim.budget.radius > 0).expand_as(gradient)] == 0
    return float(zeros.double().mean()) if zeros.numel() else 1.0


def _are_probabilities(logits: Tensor, reading: Reading) -> bool:
    known = logits.movedim(1, -1)[~not_finite(logits).squeeze(1)]
    if not known.numel():
        return False
    if reading.outputs == "sigmoid":
        return bool(((known >= 0) & (known <= 1)).all())
    return bool(are_probabilities(known.T[None]))


def _saturated_share(logits: Tensor, label: Tensor, reading: Reading) -> float:
    """The share of voxels that are right beyond what cross-entropy can tell, in the class where it is smallest."""
    by_class, classes, counts = reading.by_class(logits, label)
    beyond = voxel_margin(by_class, classes) < math.log(torch.finfo(logits.dtype).eps / 2)
    shares = [
        float(beyond[own].double().mean())
        for number in range(by_class.shape[1])
        if (own := (classes == number) & counts).any()
    ]
    return min(shares, default=0.0)


def _difference(first: Tensor, second: Tensor) -> float:
    """The largest difference of two answers, as a share of the largest logit; 1 where one is finite and one is not."""
    if not torch.equal(not_finite(first), not_finite(second)):
        return 1.0
    one, other = (logits.to(second.dtype).nan_to_num(0.0, 0.0, 0.0) for logits in (first, second))
    return float((one - other).abs().max() / one.abs().max().clamp_min(torch.finfo(one.dtype).tiny))


def _values(records: RobustnessRecords, check: str) -> dict[str, float]:
    """Case → what the check found at its clean image."""
    return {row.case: row.value for row in records.checks if row.check == check}


def logits_not_finite(records: RobustnessRecords) -> Verdict:
    """The network fails: on the clean image, or on one that an attack has found."""
    rows = [row for row in records.checks if row.check == NOT_FINITE]
    if not rows:
        return None
    failed = [row for row in rows if row.value > 0]
    if not failed:
        return ""
    worst = max(failed, key=lambda row: row.value)
    where = f"under {worst.attack} at {worst.eps_255:g}/255" if worst.attack else "without any attack"
    return (
        f"In {len({row.case for row in failed})} case(s) logits are not finite, as in {worst.value:.2%} of the "
        f"voxels of {worst.case} {where}. Such voxels count as wrong, and an attacked image that makes the first "
        "one counts as Dice 0. Look for divisions, roots and logarithms without a guard, and for half precision that "
        "overflows."
    )


def outputs_are_probabilities(records: RobustnessRecords) -> Verdict:
    """The network returns probabilities, from which the loss takes a softmax once more and is almost flat."""
    cases = _values(records, PROBABILITIES)
    found = [case for case, value in cases.items() if value]
    if not found:
        return "" if cases else None
    return (
        f"In {len(found)} case(s), such as {found[0]}, every output lies in [0, 1] as probabilities do. Attacks take "
        "them for logits, and see a loss that is almost flat. Return what the network computes before its softmax or "
        "sigmoid."
    )


def loss_saturated(records: RobustnessRecords) -> Verdict:
    """The logits are so large that the cross-entropy of right voxels is 0 to the last bit."""
    shares = _values(records, SATURATED)
    if not shares:
        return None
    if (share := fmean(shares.values())) <= _SATURATED_SHARE:
        return ""
    return (
        f"In every class the cross-entropy of {share:.0%} of the voxels or more is exactly 0: the logits are so large "
        "that losses cannot tell better from worse. Return logits without a scale (temperature 1), and look at the "
        "attacks whose loss is free of it."
    )


def not_deterministic(records: RobustnessRecords) -> Verdict:
    """The network answers differently when it is asked twice, so that one answer says little."""
    differences = _values(records, NOT_DETERMINISTIC)
    if not differences:
        return None
    worst = max(differences, key=lambda case: differences[case])
    if differences[worst] <= _SAME_ANSWER or records.header.settings.get("all", {}).get("draws", 1) > 1:
        return ""
    return (
        f"Asked twice about {worst}, the network gives logits that differ by {differences[worst]:.1%} of the largest, "
        "or changes its own buffers: dropout, noise, or BatchNorm in training mode. Put it into evaluation mode, also "
        "behind a function; if it is random by design, ask for means over draws (--draws 10)."
    )


def zero_gradients(records: RobustnessRecords) -> Verdict:
    """The loss has no slope to follow at the clean image, and gradient attacks stand still."""
    shares = _values(records, ZERO_GRADIENTS)
    if not shares:
        return None
    # Where an attack brings the case down all the same, what has no gradient has no say in the result either.
    shares = {case: 0.0 if _gradients_succeed(records, case) else share for case, share in shares.items()}
    worst = max(shares, key=lambda case: shares[case])
    if fmean(shares.values()) <= _ZERO_SHARE and shares[worst] < 1:
        return ""
    return (
        f"{fmean(shares.values()):.0%} of the voxels ({shares[worst]:.0%} in {worst}) have a gradient of exactly 0, or "
        "none that is finite: gradient attacks cannot move them. Attack the logits before any rounding or saturation, "
        "in float32, and trust no gradient attack until this is silent."
    )


def _gradients_succeed(records: RobustnessRecords, case: str) -> bool:
    rows = [row for row in records.cases if row.case == case and is_gradient_attack(row.attack)]
    if not rows:
        return False
    main = main_budget([row.eps_255 for row in rows])
    return min(mean_dice(row) for row in rows if row.eps_255 == main) <= NEAR_ZERO
