"""A linear voxel classifier, for which the best L∞ attack inside a budget is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seat_components.attacks import Loss
from seat_components.budget import IntensityBudget, per_sample

SHAPES = {1: (40,), 2: (9, 7), 3: (5, 4, 6)}


@dataclass(frozen=True)
class LinearVoxels:
    """Logits a_k·s + b_k of each voxel, with s = v·x, on a random batch whose channels have different ranges.

    Labels are the lowest or the highest class, so that every loss grows steadily with s or with −s, and the best attack
    on a voxel is one end of what s can reach.
    """

    image: Tensor
    label: Tensor
    direction: Tensor
    slopes: Tensor
    offsets: Tensor

    @classmethod
    def draw(cls, rank: int, batch: int, classes: int = 2, seed: int = 0) -> LinearVoxels:
        generator = torch.Generator().manual_seed(seed)
        image = torch.randn((batch, 3, *SHAPES[rank]), generator=generator)
        image = image * per_sample(torch.tensor([0.5, 1.0, 4.0]), image[0]) + 2
        direction = torch.tensor([2.0, -1.0, 0.25])
        # An offset that is highest for the middle class gives it its own interval of s.
        slopes, offsets = torch.tensor([-1.0, 1.0]), torch.zeros(2)
        if classes == 3:
            slopes, offsets = torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([0.0, 0.3, 0.0])
        position = (image * per_sample(direction, image[0])).sum(dim=1, keepdim=True)
        image[:, :1] -= per_sample(position.flatten(1).mean(dim=1), image) / direction[0]
        position = (image * per_sample(direction, image[0])).sum(dim=1, keepdim=True)
        label = (position > 0).long() * (classes - 1)
        return cls(image, label, direction, slopes, offsets)

    def __call__(self, image: Tensor) -> Tensor:
        return self._logits((image * per_sample(self.direction, image[0])).sum(dim=1, keepdim=True))

    def _logits(self, position: Tensor) -> Tensor:
        return per_sample(self.slopes, position[0]) * position + per_sample(self.offsets, position[0])

    def best_logits(self, eps: float) -> Tensor:
        """Logits under the best attack: each voxel at the end of its reach that is wrong for its label."""
        budget = IntensityBudget.of(self.image, eps)
        sign = per_sample(self.direction, self.image[0]).sign() * torch.where(self.label > 0, -1.0, 1.0)
        return self(budget.box_clamp(self.image + sign * budget.radius, self.image))

    def best_loss(self, loss: Loss, eps: float) -> Tensor:
        return loss(self.best_logits(eps), self.label)

    def wrong_voxels(self, logits: Tensor) -> Tensor:
        """Number of wrong voxels per sample, (B,)."""
        return (logits.argmax(dim=1, keepdim=True) != self.label).flatten(1).sum(dim=1)

    def boundary_distance(self) -> Tensor:
        """The smallest ε at which the mean margin can reach 0, per sample; two classes only."""
        low, high = torch.zeros(len(self.image)), torch.ones(len(self.image))
        for _ in range(40):
            middle = (low + high) / 2
            crossed = torch.stack([self._mean_margin(float(eps))[i] >= 0 for i, eps in enumerate(middle)])
            low, high = torch.where(crossed, low, middle), torch.where(crossed, middle, high)
        return high

    def _mean_margin(self, eps: float) -> Tensor:
        logits = self.best_logits(eps)
        true = logits.gather(1, self.label)
        return (logits.gather(1, 1 - self.label) - true).flatten(1).mean(dim=1)
