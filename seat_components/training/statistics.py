"""What one epoch of training adds up: loss, gradient norm K̃, and backpropagations."""

from __future__ import annotations

import logging
import math
from typing import Any

import ignite.distributed as idist
import torch
from torch import Tensor

logger = logging.getLogger(__name__)


class EpochStatistics:
    """Sums over the samples of an epoch, over batches, pieces and processes alike.

    The sums stay on the device until the epoch ends, so that adding to them never makes the host wait.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin an epoch."""
        self._sums = torch.zeros(4, dtype=torch.float64)
        self._samples = 0
        self._backward_samples = 0

    def count_backward(self, samples: int) -> None:
        """Count one call of backward() on ``samples`` samples."""
        self._backward_samples += samples

    def add_batch(self, loss: Tensor, gradient: Tensor, loss_scale: Tensor | float = 1.0) -> None:
        """Add a batch's last replay.

        Args:
            loss: the batch-mean loss, 0-d.
            gradient: its gradient at the network's input, (B, C, *spatial), times ``loss_scale``.
            loss_scale: the factor that AMP applied to the loss before backward().

        With a batch-mean loss the gradient's row i is ∇ℓ_i / B, so that B times its L1 norm is the sample's
        ‖∇_{x_i} ℓ_i‖₁ (Algorithm 1, line 7). A sample whose norm is not finite is counted apart.
        """
        samples = len(gradient)
        norms = gradient.detach().abs().flatten(1).sum(1, dtype=torch.float64) * samples / loss_scale
        finite = norms.isfinite()
        batch = torch.stack(
            [
                loss.detach().double() * samples,
                torch.where(finite, norms, 0).sum(),
                finite.sum().double(),
                (~finite).sum().double(),
            ]
        )
        self._sums = self._sums.to(batch.device) + batch
        self._samples += samples

    def compute(self) -> dict[str, float]:
        """The epoch's means over all processes; to be called by every process.

        Returns:
            ``train_loss`` (NaN if no sample was seen), ``gradient_norm`` K̃ (NaN if none was finite), and
            ``backpropagations`` per batch.
        """
        loss, norm, finite, skipped, samples, backward_samples = self._totals().tolist()
        if skipped:
            logger.warning(f"The gradient norm of {skipped:.0f} samples was not finite: they are left out of K̃.")
        return {
            "train_loss": loss / samples if samples else math.nan,
            "gradient_norm": norm / finite if finite else math.nan,
            "backpropagations": backward_samples / samples if samples else 0.0,
        }

    def _totals(self) -> Tensor:
        counts = self._sums.new_tensor([self._samples, self._backward_samples])
        totals = torch.cat([self._sums, counts])
        return idist.all_reduce(totals) if idist.get_world_size() > 1 else totals

    def state_dict(self) -> dict[str, Any]:
        """The sums so far in this epoch over all processes; to be called by every process."""
        return {"totals": self._totals().cpu()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on in the middle of an epoch: the first process takes what all have added up."""
        self.reset()
        if idist.get_rank() == 0:
            *sums, samples, backward_samples = state["totals"].tolist()
            self._sums = torch.tensor(sums, dtype=torch.float64)
            self._samples, self._backward_samples = int(samples), int(backward_samples)
