"""SegPGD: PGD that turns from correct to wrong voxels as it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seat_components.attacks.losses import Loss, is_correct, loss_function, sample_mean, voxel_cross_entropy
from seat_components.attacks.predictor import Predictor
from seat_components.attacks.sign_ascent import sign_ascent
from seat_components.attacks.victim import VictimOptions, under_attack

if TYPE_CHECKING:
    from typing_extensions import Unpack


def segpgd(
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
    **options: Unpack[VictimOptions],
) -> Tensor:
    """Attack ``image`` by PGD on the cross-entropy in which correct voxels weigh 1 − λ_t and wrong ones λ_t.

    The arguments are those of ``pgd``, but ``loss`` is only what iterates are compared by: the weighted loss of one
    step says nothing about another.

    Raises:
        ValueError: if an argument breaks its rule.

    Source: Gu et al., ECCV 2022, Eq. 5 and Algorithm 1, λ_t = (t − 1) / 2T.
    """

    def loss_at(t: int) -> Loss:
        weight = (t - 1) / (2 * steps)
        return lambda logits, label: weighted_cross_entropy(logits, label, weight)

    kept_by = loss_function(loss)
    with under_attack(predictor, image, label, eps, bounds, steps, restarts, **options) as victim:
        return sign_ascent(
            victim,
            loss_at,
            steps=steps,
            restarts=restarts,
            generator=generator,
            step_ratio=step_ratio,
            kept_by=kept_by,
        )


def weighted_cross_entropy(logits: Tensor, label: Tensor, wrong_weight: float) -> Tensor:
    """Mean cross-entropy (B,) in which a correct voxel weighs 1 − λ and a wrong one λ = ``wrong_weight``."""
    correct = is_correct(logits, label)
    weight = torch.full_like(correct, wrong_weight, dtype=logits.dtype).masked_fill(correct, 1 - wrong_weight)
    return sample_mean(weight * voxel_cross_entropy(logits, label))
