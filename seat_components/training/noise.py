"""The perturbation δ of FREE adversarial training, which lives across mini-batches."""

from __future__ import annotations

import logging
from typing import Any

import ignite.distributed as idist
import torch
from torch import Tensor

logger = logging.getLogger(__name__)


class NoiseBuffer:
    """δ, one row per place in the batch; a smaller batch uses and updates the first rows (Shafahi et al., 2019).

    Args:
        rows: the batch size. The buffer takes the image's channels, size, dtype and device at its first use.

    Every process of a distributed run has its own rows; ``state_dict`` gathers them all.
    """

    def __init__(self, rows: int) -> None:
        self._rows = int(rows)
        self._noise: Tensor | None = None

    def rows_for(self, image: Tensor) -> Tensor:
        """The rows of ``image`` (B, C, *spatial): a view, to be updated in place.

        The rows begin at 0, and begin anew, saying so, where the image's channels or size have changed.
        """
        noise = self._noise
        if noise is not None and noise.shape[1:] != image.shape[1:]:
            logger.warning(
                f"The noise carried so far fits patches of {tuple(noise.shape[1:])}, but this batch has "
                f"{tuple(image.shape[1:])}: it begins anew from 0."
            )
            noise = None
        if noise is None or len(noise) < len(image):
            carried = noise
            noise = image.new_zeros((max(self._rows, len(image)), *image.shape[1:]))
            if carried is not None:
                noise[: len(carried)] = carried
        # A checkpoint is read on the CPU; a buffer that lies right already is not copied.
        self._noise = noise.to(image)
        return self._noise[: len(image)]

    def state_dict(self) -> dict[str, Any]:
        """The rows of all processes, (world size, rows, C, *spatial), or None before the first adversarial batch.

        To be called by every process.
        """
        if self._noise is None:
            return {"noise": None}
        gathered = idist.all_gather(self._noise[None]) if idist.get_world_size() > 1 else self._noise[None]
        return {"noise": gathered.cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take this process's rows; noise of another number of processes begins anew, saying so."""
        noise = state["noise"]
        if noise is not None and len(noise) != idist.get_world_size():
            logger.warning(
                f"The checkpoint holds the noise of {len(noise)} processes, but this run has "
                f"{idist.get_world_size()}: the noise begins anew from 0."
            )
            noise = None
        self._noise = None if noise is None else noise[idist.get_rank()].clone()


def ascend_noise(noise: Tensor, gradient: Tensor, step: Tensor, radius: Tensor) -> None:
    """δ ← clip(δ + α·sign ∇_δ L, ±ε_b), in place; where the gradient is not finite, δ stays.

    Args:
        noise: δ, (B, C, *spatial).
        gradient: ∇_δ L of the same shape, at any scale.
        step: α, (B, C, 1, …).
        radius: ε_b, (B, C, 1, …).
    """
    direction = gradient.sign().masked_fill_(~gradient.isfinite(), 0)
    noise.add_(direction.mul_(step)).copy_(torch.clamp(noise, -radius, radius))
