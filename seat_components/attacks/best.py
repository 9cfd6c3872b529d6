"""The best iterate of each sample, kept across the steps and restarts of an attack."""

from __future__ import annotations

import torch
from torch import Tensor

from seat_components.budget import per_sample


class BestPerSample:
    """For each sample, the image of the highest loss seen, whole: never a patchwork of several iterates.

    Args:
        image: (B, C, *spatial), what a sample keeps for which no finite loss is ever seen.

    Attributes:
        image: the best images, (B, C, *spatial).
        loss: their losses, (B,); −∞ where none was finite.
    """

    def __init__(self, image: Tensor) -> None:
        self.image = image
        dtype = torch.promote_types(image.dtype, torch.float32)
        self.loss = torch.full((len(image),), -torch.inf, dtype=dtype, device=image.device)

    def update(self, loss: Tensor, image: Tensor) -> Tensor:
        """Offer ``image`` (B, C, *spatial) with ``loss`` (B,); returns (B,), where it is the new best."""
        better = (loss > self.loss) & loss.isfinite()
        self.loss = torch.where(better, loss.to(self.loss.dtype), self.loss)
        self.image = torch.where(per_sample(better, image), image, self.image)
        return better
