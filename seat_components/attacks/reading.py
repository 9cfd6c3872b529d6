"""How logits are read against a label: one class per voxel or several, voxels that do not count, logits not finite."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seat_components.attacks.losses import Loss

SOFTMAX, SIGMOID = "softmax", "sigmoid"
OUTPUTS = (SOFTMAX, SIGMOID)


@dataclass(frozen=True)
class Reading:
    """What a network's logits (B, K, *spatial) say, and which voxels count.

    A voxel with a logit that is not finite counts as wrong: its logits are read as those of the next class, as sure as
    the surest finite logit of the sample, and carry no gradient. So an attack gains by it, and goes on elsewhere.

    Attributes:
        outputs: ``softmax``, one class per voxel and label (B, 1, *spatial); or ``sigmoid``, K structures that may
            overlap and label (B, K, *spatial) of 0 and 1. Losses see each sigmoid as two classes, of logits (0, z), and
            are averaged over the K structures.
        ignore_index: label value of the voxels that do not count; None where all do. Losses then see the voxels of a
            sample in one row, (1, K, V).

    Raises:
        ValueError: if ``outputs`` is another word.
    """

    outputs: str = "softmax"
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        """Check the words."""
        if self.outputs not in OUTPUTS:
            raise ValueError(f"outputs is {self.outputs!r}, but it must be {' or '.join(OUTPUTS)}")

    def counts(self, label: Tensor) -> Tensor | None:
        """Where a label's voxels count, of the label's shape; None where all do."""
        return None if self.ignore_index is None else label != self.ignore_index

    def losses(self, loss: Loss, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of each sample, (B,); a sample in which no voxel counts has the loss 0."""
        counts = self.counts(label)
        if counts is not None:
            label = label.where(counts, 0)
        logits, label, shape = *self._by_class(logits, label), label.shape
        logits = as_wrong(logits, label)
        if counts is None:
            losses = loss(logits, label)
        else:
            kept = counts.reshape(label.shape)
            rows = zip(logits, label, kept, strict=True)
            losses = torch.stack([_of_row(loss, *row) for row in rows])
        return losses if self.outputs == "softmax" or losses.ndim != 1 else losses.reshape(shape[:2]).mean(dim=1)

    def classes(self, logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Predicted and true classes, of the label's shape; both 0, the background, where voxels do not count."""
        counts = self.counts(label)
        if counts is not None:
            label = label.where(counts, 0)
        by_class, true = self._by_class(logits, label)
        predicted = as_wrong(by_class, true).argmax(dim=1, keepdim=True).reshape(label.shape)
        return (predicted if counts is None else predicted.where(counts, 0)), label

    def by_class(self, logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits by class, classes and where voxels count, each of one class per voxel; logits not finite are wrong."""
        counts = self.counts(label)
        counts = torch.ones_like(label, dtype=torch.bool) if counts is None else counts
        by_class, classes = self._by_class(logits, label.where(counts, 0))
        return as_wrong(by_class, classes), classes, counts.reshape(classes.shape)

    def _by_class(self, logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Logits by class and class indices: as they are, or (B·K, 2, *spatial) and (B·K, 1, *spatial)."""
        if self.outputs == "softmax":
            return logits, label
        one = logits.flatten(0, 1).unsqueeze(1)
        return torch.cat([torch.zeros_like(one), one], dim=1), label.flatten(0, 1).unsqueeze(1)


def _of_row(loss: Loss, logits: Tensor, label: Tensor, counts: Tensor) -> Tensor:
    """The loss of one sample's counting voxels, ()."""
    chosen = counts.flatten()
    if not chosen.any():
        return logits.sum() * 0
    return loss(logits.flatten(1)[None, :, chosen], label.flatten(1)[None, :, chosen])[0]


def not_finite(logits: Tensor) -> Tensor:
    """Where a voxel has a logit that is not finite, bool (B, 1, *spatial)."""
    return ~logits.detach().isfinite().all(dim=1, keepdim=True)


def as_wrong(logits: Tensor, label: Tensor) -> Tensor:
    """``logits`` (B, K, *spatial) in which each voxel that is not finite is wrong for ``label`` (B, 1, *spatial)."""
    # What waits for a value waits for a GPU; elsewhere a sum tells most quickly that there is nothing to do.
    if logits.device.type == "cpu" and logits.detach().sum().isfinite():
        return logits
    return wrong_where_not_finite(logits, label)


def wrong_where_not_finite(logits: Tensor, label: Tensor) -> Tensor:
    """As ``as_wrong``, without waiting for a value."""
    found = logits.detach()
    surest = found.abs().where(found.isfinite(), 0).flatten(1).amax(dim=1).clamp_min(1)
    axes = [1] * (logits.ndim - 2)
    classes = torch.arange(logits.shape[1], device=logits.device).reshape(1, -1, *axes)
    rival = (label + 1) % logits.shape[1]
    wrong = ((classes == rival).to(logits.dtype) - (classes == label).to(logits.dtype)) * surest.reshape(-1, 1, *axes)
    return torch.where(not_finite(logits), wrong, logits)
