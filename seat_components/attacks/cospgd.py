"""CosPGD: PGD whose voxels weigh by the cosine between prediction and label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seat_components.attacks.losses import Loss, loss_function, sample_mean, voxel_cross_entropy
from seat_components.attacks.predictor import Predictor
from seat_components.attacks.sign_ascent import sign_ascent
from seat_components.attacks.victim import VictimOptions, under_attack

if TYPE_CHECKING:
    from typing_extensions import Unpack


def cospgd(
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
    """Attack ``image`` by PGD on the cross-entropy weighted by how well a voxel's probabilities fit its label.

    The arguments are those of ``pgd``, but ``loss`` is only what iterates are compared by: the weights change with
    the prediction, so that the weighted loss falls when voxels are won.

    Raises:
        ValueError: if an argument breaks its rule.

    Source: Agnihotri, Jung & Keuper, ICML 2024, Algorithm 1 (untargeted).
    """
    kept_by = loss_function(loss)
    with under_attack(predictor, image, label, eps, bounds, steps, restarts, **options) as victim:
        return sign_ascent(
            victim,
            lambda _: aligned_cross_entropy,
            steps=steps,
            restarts=restarts,
            generator=generator,
            step_ratio=step_ratio,
            kept_by=kept_by,
        )


def aligned_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Mean cross-entropy (B,), each voxel weighted by the cosine of its softmax and its one-hot label, p_y / ‖p‖₂."""
    with torch.no_grad():
        probabilities = logits.softmax(dim=1)
        cosine = probabilities.gather(1, label).squeeze(1) / probabilities.norm(dim=1)
    return sample_mean(cosine * voxel_cross_entropy(logits, label))
