"""Auto-PGD (APGD), L∞, with SEA's shrinking radii as an option."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seat_components.attacks.best import BestPerSample
from seat_components.attacks.losses import Loss, loss_function
from seat_components.attacks.predictor import Predictor
from seat_components.attacks.victim import Victim, VictimOptions, under_attack
from seat_components.budget import per_sample

if TYPE_CHECKING:
    from typing_extensions import Unpack

SEA_RADII = ((2.0, 0.3), (1.5, 0.3), (1.0, 0.4))
"""The radius schedule 2ε → 1.5ε → ε of SEA: (radius / ε_b, share of the steps)."""

_ALPHA = 0.75
"""Weight α of the new step against the last movement."""
_RHO = 0.75
"""Share ρ of the steps that must raise the loss between two checkpoints."""


def apgd(
    predictor: Predictor,
    image: Tensor,
    label: Tensor,
    *,
    eps: float,
    bounds: tuple[float, float] | None = None,
    steps: int = 20,
    loss: str | Loss = "ce",
    restarts: int = 1,
    generator: torch.Generator | None = None,
    radii: Sequence[tuple[float, float]] = ((1.0, 1.0),),
    start: Tensor | None = None,
    **options: Unpack[VictimOptions],
) -> Tensor:
    """Attack ``image`` by gradient ascent whose step size adapts itself, per sample; the best iterate is kept.

    The arguments are those of ``pgd``, and:

    Args:
        radii: stages (radius / ε_b, share of the steps); each starts from the best image of the last one, projected
            to its own radius. The last radius is 1, and only its iterates can be returned.
        start: the image (B, C, *spatial) that the first restart begins at, brought inside the budget, such as one that
            another budget gave; None begins at random.

    Returns:
        The adversarial image (B, C, *spatial), a plain tensor inside the budget.

    Raises:
        ValueError: if an argument breaks its rule.

    Source: Croce & Hein, ICML 2020, Algorithm 1; radii: Croce, Singh & Hein, ECCV 2024 (SEA).
    """
    objective = loss_function(loss)
    stages = split_steps(steps, radii)
    with under_attack(predictor, image, label, eps, bounds, steps, restarts, **options) as victim:
        if start is not None and start.shape != victim.image.shape:
            raise ValueError(f"start has shape {tuple(start.shape)}, but it must be the image's: {tuple(image.shape)}")
        best = BestPerSample(victim.image)
        for restart in range(restarts):
            reached: BestPerSample | None = None
            for radius, count in stages:
                budget = replace(victim.budget, radius=radius * victim.budget.radius)
                wider = replace(victim, budget=budget)
                known = reached.image if reached else start if restart == 0 else None
                point = wider.random_start(generator) if known is None else wider.project(known)
                reached = _ascend(wider, point, objective, count)
            if reached:
                best.update(reached.loss, reached.image)
        return victim.project(best.image)


def _ascend(victim: Victim, start: Tensor, loss: Loss, steps: int) -> BestPerSample:
    """Algorithm 1 from ``start``: the best iterate of each sample.

    The conditions at checkpoint w_j are looked at as soon as x^(w_j) is known, which saves the step that they discard.
    """
    checkpoints = checkpoint_steps(steps)
    best = BestPerSample(start)
    value, gradient = victim.value_and_gradient(start, loss)
    best.update(value, start)
    best_gradient = gradient
    step = 2 * victim.budget.radius
    point = last_point = start
    rises = torch.zeros_like(best.loss)
    last_checkpoint, last_best = 0, best.loss
    halved = torch.zeros_like(rises, dtype=torch.bool)

    for k in range(1, steps + 1):
        stepped = victim.project(point + step * gradient.sign())
        alpha = _ALPHA if k > 1 else 1.0
        moved = victim.project(point + alpha * (stepped - point) + (1 - alpha) * (point - last_point))
        last_point, point, last_value = point, moved, value
        if k == steps:
            best.update(victim.value(point, loss), point)
            break
        value, gradient = victim.value_and_gradient(point, loss)
        better = best.update(value, point)
        best_gradient = torch.where(per_sample(better, point), gradient, best_gradient)
        rises = rises + (value > last_value)

        if k in checkpoints:
            too_few_rises = rises < _RHO * (k - last_checkpoint)  # condition 1
            no_progress = ~halved & (best.loss == last_best)  # condition 2: neither step nor best has changed
            halved = too_few_rises | no_progress
            restart = per_sample(halved, point)
            step = torch.where(restart, step / 2, step)
            point = torch.where(restart, best.image, point)
            gradient = torch.where(restart, best_gradient, gradient)
            value = torch.where(halved, best.loss, value)
            rises, last_checkpoint, last_best = torch.zeros_like(rises), k, best.loss
    return best


def checkpoint_steps(steps: int) -> list[int]:
    """The checkpoints w_j = ⌈p_j·steps⌉ with p_1 = 0.22, p_{j+1} = p_j + max(p_j − p_{j−1} − 0.03, 0.06) ≤ 1.

    For 100 steps: 22, 41, 57, 70, 80, 87, 93, 99. In whole hundredths, as rounding must not move a checkpoint.

    Source: Croce & Hein, ICML 2020, Section 3.1.
    """
    shares = [0, 22]
    while (following := shares[-1] + max(shares[-1] - shares[-2] - 3, 6)) <= 100:
        shares.append(following)
    return sorted({-(-share * steps // 100) for share in shares[1:]})


def split_steps(steps: int, radii: Sequence[tuple[float, float]]) -> list[tuple[float, int]]:
    """Stages (radius / ε_b, steps) of the schedule ``radii``; stages without a step are left out.

    Raises:
        ValueError: if a radius or share is not positive, the shares do not add up to 1, or the last radius is not 1.
    """
    shares = [share for _, share in radii]
    positive = all(radius > 0 and share > 0 for radius, share in radii)
    if not (positive and math.isclose(sum(shares), 1) and radii[-1][0] == 1):
        raise ValueError(
            f"radii is {radii}, but it must list (radius / ε_b, share of the steps): "
            "positive, shares adding up to 1, the last radius 1"
        )
    # What rounding leaves over goes to the last stage, whose iterates are the only ones inside ε_b.
    ends = [math.floor(done * steps + 1e-9) for done in accumulate(shares[:-1])] + [steps]
    counts = [end - start for start, end in pairwise([0, *ends])]
    return [(radius, count) for (radius, _), count in zip(radii, counts, strict=True) if count]
