"""Fast Adaptive Boundary attack (FAB), L∞, for segmentation: the smallest perturbation that crosses a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seat_components.attacks.best import BestPerSample
from seat_components.attacks.losses import Loss, loss_function, margin
from seat_components.attacks.plane import step_to_plane
from seat_components.attacks.predictor import Predictor
from seat_components.attacks.victim import Victim, VictimOptions, under_attack
from seat_components.budget import per_sample

if TYPE_CHECKING:
    from typing_extensions import Unpack

_ALPHA_MAX = 0.1
"""Largest weight of the way from the clean image, against the way from the iterate."""
_OVERSHOOT = 1.05
"""Extrapolation η beyond the hyperplane."""
_BACKWARD = 0.9
"""Share β of the perturbation that is kept once the decision is crossed."""
_SEARCHES = 3
"""Bisections between the clean image and the nearest crossing one."""


def fab(
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
    **options: Unpack[VictimOptions],
) -> Tensor:
    """Look for the smallest perturbation that crosses a sample's decision, and bring it inside the budget.

    FAB is defined for one decision per sample; a segmentation has one per voxel. Here a sample's decision is its mean
    margin m(x), the mean over voxels of max_{j≠y} z_j − z_y, and it is crossed where m ≥ 0 (SEAT's Eq. 2 counts such
    an example as an error). So there is one hyperplane, m(x_i) + ⟨∇m(x_i), z − x_i⟩ = 0, for which the paper has
    K − 1 to choose from. Distances are max |z − x| as a share of what ε is a share of, ``whole`` in the budget.

    FAB's box of allowed images is narrowed to the budget, as nothing outside it can be returned. A sample gets the
    image that crosses at the smallest distance, itself if it crosses already. Where nothing inside the budget
    crosses, it gets the iterate of the highest m.

    The arguments are those of ``pgd``; as the decision is the margin's, ``loss`` has no meaning here. A step costs a
    pass each way, and a forward pass more where it has crossed; the search costs three, where anything has.

    Returns:
        The adversarial image (B, C, *spatial), a plain tensor inside the budget.

    Raises:
        ValueError: if an argument breaks its rule.

    Source: Croce & Hein, ICML 2020 (Minimally distorted adversarial examples with a fast adaptive boundary attack),
    Algorithm 1.
    """
    loss_function(loss)
    with under_attack(predictor, image, label, eps, bounds, steps, restarts, **options) as victim:
        nearest, furthest = BestPerSample(victim.image), BestPerSample(victim.image)
        for restart in range(restarts):
            point = victim.image
            if restart:
                point = torch.lerp(point, victim.random_start(generator), 0.5)
            value, gradient = victim.value_before_gradient(point, margin)
            _offer(nearest, victim, point, value)
            for step in range(1, steps + 1):
                reached = _approach(victim, point, value, gradient())
                if not anywhere((reached != point).flatten(1).any(dim=1)):
                    break  # where a step leads nowhere, so do all others
                point = reached
                if step == steps:
                    value = victim.value(point, margin)
                else:
                    value, gradient = victim.value_before_gradient(point, margin)
                furthest.update(value, point)
                crossed = _offer(nearest, victim, point, value)
                if step < steps and anywhere(crossed):
                    point = torch.where(per_sample(crossed, point), torch.lerp(victim.image, point, _BACKWARD), point)
                    value, gradient = victim.value_before_gradient(point, margin)
                    _offer(nearest, victim, point, value)
        if anywhere(nearest.loss.isfinite()):
            _search_back(nearest, victim)
        found = per_sample(nearest.loss.isfinite(), victim.image)
        return victim.project(torch.where(found, nearest.image, furthest.image))


def anywhere(samples: Tensor) -> bool:
    """Whether any sample, (B,), is True: the one value that is waited for, as it saves passes."""
    return bool(samples.any())


def _approach(victim: Victim, point: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
    """(1 − α)(x_i + η·δ_i) + α(x + η·δ), δ_i and δ being the steps onto the hyperplane from iterate and clean image."""
    # Sums over a volume need the precision of the value, also where the image has less.
    image, point, gradient = (part.to(value.dtype) for part in (victim.image, point, gradient))
    value = value * victim.label[0].numel()  # the gradient is that of V·m
    value_at_image = value + (gradient * (image - point)).flatten(1).sum(dim=1)
    whole, radius = victim.budget.whole, victim.budget.radius
    box = torch.maximum(image - radius, victim.budget.lo), torch.minimum(image + radius, victim.budget.hi)
    step, length = step_to_plane(point, gradient, -value, box, whole)
    clean_step, clean_length = step_to_plane(image, gradient, -value_at_image, box, whole)
    alpha = (length / (length + clean_length)).nan_to_num(nan=0.0).clamp_max(_ALPHA_MAX)
    weight = per_sample(alpha, image)
    moved = (1 - weight) * (point + _OVERSHOOT * step) + weight * (image + _OVERSHOOT * clean_step)
    return victim.project(moved.to(victim.image.dtype))


def _offer(nearest: BestPerSample, victim: Victim, point: Tensor, value: Tensor) -> Tensor:
    """Keep ``point`` where it crosses at a smaller distance than before; returns (B,), where it crosses."""
    crossed = value >= 0
    distance = ((point - victim.image).abs() / victim.budget.whole).nan_to_num(nan=0.0).flatten(1).amax(dim=1)
    nearest.update(torch.where(crossed, -distance, -torch.inf), point)
    return crossed


def _search_back(nearest: BestPerSample, victim: Victim) -> None:
    """The paper's final search: bisect between the clean image and the nearest crossing one."""
    outermost = nearest.image
    low, high = torch.zeros_like(nearest.loss), torch.ones_like(nearest.loss)
    for _ in range(_SEARCHES):
        middle = (low + high) / 2
        point = torch.lerp(victim.image, outermost, per_sample(middle, outermost).to(outermost.dtype))
        crossed = _offer(nearest, victim, point, victim.value(point, margin))
        low, high = torch.where(crossed, low, middle), torch.where(crossed, middle, high)
