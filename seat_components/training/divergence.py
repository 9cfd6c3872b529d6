"""Ending a training whose weights have become useless, before they replace good ones."""

from __future__ import annotations

import math

import torch
from monai.engines import SupervisedTrainer
from torch import nn

from seat_components.networks.parallel import unwrap
from seat_components.refusals import refuse


def refuse_divergence(engine: SupervisedTrainer) -> None:
    """End the training if it has diverged; to be called at an epoch's end, or before its state is saved.

    It has if a weight is not finite. At an epoch's end also if its mean loss is not; under AMP, which skips the steps
    of batches that overflow, only if no gradient of the epoch was finite, so that no step was made.

    Raises:
        RefusalError: with the epoch, the learning rate, and what to try.
    """
    loss = float(getattr(engine.state, "train_loss", 0.0))
    norm = float(getattr(engine.state, "gradient_norm", 0.0))
    if bad := non_finite(unwrap(engine.network)):
        what = f"{len(bad)} of the network's weights ({bad[0]} among them) are not finite"
    elif not math.isfinite(loss) and engine.scaler is None:
        what = f"the mean loss is {loss}"
    elif math.isnan(loss) and math.isnan(norm):
        what = "no gradient was finite, so that no step was made"
    else:
        return
    rate = engine.optimizer.param_groups[0]["lr"]
    refuse(
        f"The training has diverged in epoch {engine.state.epoch}: {what}, at learning rate {rate:g}. model.pt and "
        "the training checkpoint stay as they were before this epoch. Try a lower --learning_rate, such as "
        f"{min(rate / 10, 0.01):g}; if that does not help, look for odd values in the data."
    )


def non_finite(network: nn.Module) -> list[str]:
    """The names of the network's floating tensors that hold NaN or infinity; one wait for the device in all."""
    tensors = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    if not tensors:
        return []
    finite = torch.stack([value.isfinite().all() for value in tensors.values()])
    return [name for name, good in zip(tensors, finite.tolist(), strict=True) if not good]
