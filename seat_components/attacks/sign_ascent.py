"""Projected sign-gradient ascent: the loop that PGD, SegPGD and CosPGD share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seat_components.attacks.best import BestPerSample
from seat_components.attacks.losses import Loss
from seat_components.attacks.victim import Victim
from seat_components.budget import per_sample


def sign_ascent(
    victim: Victim,
    loss_at: Callable[[int], Loss],
    *,
    steps: int,
    restarts: int,
    generator: torch.Generator | None,
    step_ratio: float,
    momentum: float = 0.0,
    kept_by: Loss | None = None,
) -> Tensor:
    """x ← P(x + α·sign v), v ← μ·v + ∇L/‖∇L‖₁, from a random start; the best iterate per sample is returned.

    Args:
        victim: the batch under attack.
        loss_at: step t = 1 … steps → the loss L of that step.
        steps: steps per restart; each costs a forward and a backward pass, and the last iterate a forward pass.
        restarts: number of random starts.
        generator: source of the random starts.
        step_ratio: α / ε_b.
        momentum: μ (Dong et al., CVPR 2018, Eq. 6); 0 for plain ascent.
        kept_by: the loss by which iterates are compared, where it is not L.

    Raises:
        ValueError: if ``step_ratio`` is not positive or ``momentum`` negative.
    """
    if not step_ratio > 0 or momentum < 0:
        raise ValueError(f"step_ratio is {step_ratio} and momentum {momentum}, but they must be > 0 and ≥ 0")
    best = BestPerSample(victim.image)
    step = step_ratio * victim.budget.radius
    for _ in range(restarts):
        point = victim.random_start(generator)
        velocity = torch.zeros(()).to(point)
        for t in range(1, steps + 1):
            value, gradient = victim.value_and_gradient(point, loss_at(t), kept_by)
            best.update(value, point)
            velocity = momentum * velocity + normalised(gradient) if momentum else gradient
            point = victim.project(point + step * velocity.sign())
        best.update(victim.value(point, kept_by or loss_at(steps)), point)
    return victim.project(best.image)


def normalised(gradient: Tensor) -> Tensor:
    """Each sample's gradient (B, C, *spatial) divided by its L1 norm; a zero gradient stays zero."""
    norm = gradient.abs().flatten(1).sum(dim=1)
    return gradient / per_sample(norm.clamp_min(torch.finfo(norm.dtype).tiny), gradient)
