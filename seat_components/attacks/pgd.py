"""Projected gradient descent (PGD), L∞."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seat_components.attacks.losses import Loss, loss_function
from seat_components.attacks.predictor import Predictor
from seat_components.attacks.sign_ascent import sign_ascent
from seat_components.attacks.victim import VictimOptions, under_attack

if TYPE_CHECKING:
    from typing_extensions import Unpack


def pgd(
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
    step_ratio: float = 0.25,
    momentum: float = 0.0,
    **options: Unpack[VictimOptions],
) -> Tensor:
    """Attack ``image`` by sign-gradient ascent on ``loss`` from random starts; the best iterate per sample is kept.

    Args:
        predictor: image → logits (B, K, *spatial); an ``nn.Module`` runs in evaluation mode and is left as found.
        image: float (B, C, *spatial), any rank.
        label: class numbers, integer (B, 1, *spatial).
        eps: the budget, a fraction of each sample's and channel's intensity range, or of ``bounds``.
        bounds: (lo, hi) for inputs of a fixed range.
        steps: steps per restart.
        loss: a name of ``LOSSES``, or a callable (logits, label) → (B,), to be maximised.
        restarts: number of random starts.
        generator: source of random numbers; torch's default where None.
        step_ratio: α / ε_b.
        momentum: decay μ of the accumulated gradient (MI-FGSM); 0 for plain PGD.
        options: ``budget="range"`` or ``"contrast"``, which takes ``RANGE_OVER_STD`` standard deviations of each
            sample and channel for the range that ``eps`` is a fraction of; ``outputs="softmax"`` or ``"sigmoid"``
            (label (B, K, *spatial) of 0 and 1), ``ignore_index`` (label value of voxels that do not count) and
            ``draws`` (losses and gradients are means over so many answers of a network that answers differently each
            time).

    Returns:
        The adversarial image (B, C, *spatial), a plain tensor inside the budget.

    Raises:
        ValueError: if an argument breaks its rule.

    Source: Madry et al., ICLR 2018, Section 2.1; momentum: Dong et al., CVPR 2018.
    """
    objective = loss_function(loss)
    with under_attack(predictor, image, label, eps, bounds, steps, restarts, **options) as victim:
        return sign_ascent(
            victim,
            lambda _: objective,
            steps=steps,
            restarts=restarts,
            generator=generator,
            step_ratio=step_ratio,
            momentum=momentum,
        )
