"""Losses that attacks raise: (logits, label) → one value per sample, and the table of their names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from seat_components.budget import per_sample

_GAP = 10.0
"""The mean difference of a voxel's two highest logits, to which ``dice-normalised`` brings them."""
_SUM_TOLERANCE = 5e-3
"""How far probabilities in half precision may be from adding up to 1."""
_LEAST_PROBABILITY = 1e-30
"""Probabilities below have no slope left, and logarithms that overflow."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits (B, K, *spatial), label (B, 1, *spatial) int64 → loss (B,), to be maximised."""


def sample_mean(voxels: Tensor) -> Tensor:
    """Mean over all axes but the first: (B, …) → (B,)."""
    return voxels.flatten(1).mean(dim=1)


def voxel_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of each voxel, (B, *spatial)."""
    return F.cross_entropy(logits, label.squeeze(1), reduction="none")


def is_correct(logits: Tensor, label: Tensor) -> Tensor:
    """Whether each voxel's class is predicted, bool (B, *spatial); without gradient."""
    return logits.detach().argmax(dim=1) == label.squeeze(1)


def voxel_margin(logits: Tensor, label: Tensor) -> Tensor:
    """max_{j≠y} z_j − z_y of each voxel, (B, 1, *spatial): positive where the prediction is wrong."""
    rival = logits.scatter(1, label, -torch.inf).amax(dim=1, keepdim=True)
    return rival - logits.gather(1, label)


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Mean cross-entropy over voxels."""
    return sample_mean(voxel_cross_entropy(logits, label))


def margin(logits: Tensor, label: Tensor) -> Tensor:
    """Mean over voxels of max_{j≠y} z_j − z_y: the negative of the mean voxel margin of SEAT's Eq. 2."""
    return sample_mean(voxel_margin(logits, label))


def dlr(logits: Tensor, label: Tensor) -> Tensor:
    """Difference-of-logits ratio −(z_y − max_{j≠y} z_j) / (z_π1 − z_π3), mean over voxels.

    Source: Croce & Hein, ICML 2020, Eq. 6; π sorts a voxel's logits in descending order.

    Raises:
        ValueError: if there are fewer than 3 classes, as the ratio is then undefined.
    """
    if logits.shape[1] < 3:
        raise ValueError(
            f"loss 'dlr' needs at least 3 classes, but the logits have {logits.shape[1]}: take loss 'margin' instead"
        )
    top = logits.topk(3, dim=1).values
    spread = (top[:, :1] - top[:, 2:]).clamp_min(1e-6)
    return sample_mean(voxel_margin(logits, label) / spread)


def _cross_entropy_of_correct(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy where the voxel is still correct, log K elsewhere; (B, *spatial).

    log K is the highest cross-entropy that a correct voxel can have. As a constant it brings no gradient, so that the
    gradient is that of the published loss; but the value does not fall when a voxel is won, and iterates compare.
    """
    highest = math.log(logits.shape[1])
    return voxel_cross_entropy(logits, label).where(is_correct(logits, label), highest)


def _masked_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Mean over voxels of the cross-entropy of those still correct; a wrong voxel counts log K, without gradient.

    Source: Croce, Singh & Hein, ECCV 2024 (SEA), Mask-CE.
    """
    return sample_mean(_cross_entropy_of_correct(logits, label))


def _balanced_masked_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """``_masked_cross_entropy`` as a mean over the classes present in a sample's label, not over its voxels.

    Source: Croce, Singh & Hein, ECCV 2024 (SEA), Mask-CE-Balanced.
    """
    voxels, classes = _cross_entropy_of_correct(logits, label).flatten(1), label.flatten(1)
    # Class by class: adding up voxel by voxel, as scatter_add does, stops counting at 2²⁴ in float32.
    masks = [classes == number for number in range(logits.shape[1])]
    sizes = torch.stack([mask.sum(dim=1) for mask in masks], dim=1)
    sums = torch.stack([torch.where(mask, voxels, 0).sum(dim=1) for mask in masks], dim=1)
    return (sums / sizes.clamp_min(1)).sum(dim=1) / (sizes > 0).sum(dim=1)


def _jensen_shannon(logits: Tensor, label: Tensor) -> Tensor:
    """Mean Jensen–Shannon divergence between the softmax p and the one-hot label e_y.

    With p_y the true class's probability it is log 2 + ½(p_y log p_y − (1 + p_y) log(1 + p_y)), from 0 to log 2.

    Source: Croce, Singh & Hein, ECCV 2024 (SEA), JS.
    """
    log_true = logits.log_softmax(dim=1).gather(1, label)
    true = log_true.exp()
    return sample_mean(math.log(2) + 0.5 * (true * log_true - (1 + true) * true.log1p()))


def _soft_dice(logits: Tensor, label: Tensor) -> Tensor:
    """1 − the mean over the K − 1 foreground classes of soft Dice, (2 Σ p·q + 1) / (Σ p + Σ q + 1), from 0 to 1.

    p is a class's softmax and q its label, 0 or 1. The one voxel that is added above and below is the rule for a class
    that the label lacks: as in the Dice that is scored it counts 1 where nothing is found, and falls with every voxel.

    Source: Milletari, Navab & Ahmadi, 3DV 2016 (V-Net), Eq. for D, here with p and q to the first power.
    """
    probabilities = logits.softmax(dim=1).flatten(2)
    classes = label.flatten(2)
    total = logits.new_zeros(len(logits))
    for number in range(1, logits.shape[1]):
        own, true = probabilities[:, number], classes[:, 0] == number
        shared = own.where(true, 0).sum(dim=1)
        total = total + (2 * shared + 1) / (own.sum(dim=1) + true.sum(dim=1) + 1)
    return 1 - total / (logits.shape[1] - 1)


def are_probabilities(logits: Tensor) -> Tensor:
    """Whether a sample's outputs are a softmax's: all in [0, 1], adding up to 1 at every voxel; bool (B,)."""
    inside = ((logits >= 0) & (logits <= 1)).all(dim=1)
    return (inside & ((logits.sum(dim=1) - 1).abs() <= _SUM_TOLERANCE)).flatten(1).all(dim=1)


def _normalised_dice(logits: Tensor, label: Tensor) -> Tensor:
    """``_soft_dice`` of the logits times the number that makes their highest two ``_GAP`` apart in a sample's mean.

    It is the same for every positive multiple of the logits, and so is the sign of its gradient: no temperature blinds
    it. Of probabilities it takes the logarithm first, which brings the logits back but for a constant. The factor
    counts as a constant in the gradient.
    """
    undone = logits.clamp_min(_LEAST_PROBABILITY).log()
    logits = torch.where(per_sample(are_probabilities(logits.detach()), logits), undone, logits)
    top = logits.detach().topk(2, dim=1).values
    gap = sample_mean(top[:, 0] - top[:, 1])
    return _soft_dice(logits * per_sample(_GAP / gap.where(gap > 0, 1), logits), label)


LOSSES: Mapping[str, Loss] = {
    "ce": cross_entropy,
    "dice": _soft_dice,
    "dice-normalised": _normalised_dice,
    "dlr": dlr,
    "margin": margin,
    "mask-ce": _masked_cross_entropy,
    "mask-ce-balanced": _balanced_masked_cross_entropy,
    "js": _jensen_shannon,
}


def loss_function(loss: str | Loss) -> Loss:
    """The loss of that name, or a callable as it is.

    Raises:
        ValueError: if there is no loss of that name.
    """
    if callable(loss):
        return loss
    if loss not in LOSSES:
        raise ValueError(f"there is no loss '{loss}': take one of {', '.join(LOSSES)}, or a callable")
    return LOSSES[loss]
