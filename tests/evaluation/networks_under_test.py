"""Small networks with a known flaw or none, and cases for them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LABELS = ("background", "low", "high")
Case = tuple[str, Tensor, Tensor]


def smooth(image: Tensor) -> Tensor:
    """Three classes by intensity, the middle of the range being the background."""
    z = 6 * image[:, :1]
    return torch.cat([torch.full_like(z, 2.0), -z - 1, z - 1], dim=1)


def quantised(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The network with an input rounded to steps: its gradient is 0 wherever it exists."""
    return lambda image: network((image * 16).round() / 16)


def saturated(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The network with probabilities for logits, so sharp that float32 has no slope left for them."""
    return lambda image: (1e4 * network(image)).softmax(dim=1)


def unmoved(label: Tensor) -> Callable[[Tensor], Tensor]:
    """A network that knows the label whatever the image."""
    right = torch.zeros(1, len(LABELS), *label.shape[2:]).scatter(1, label, 1.0)
    return lambda image: right + 1e-3 * image


def cases(count: int = 3, spatial: tuple[int, ...] = (8, 8), seed: int = 0) -> list[Case]:
    """Images in [−1, 1], labelled as ``smooth`` predicts them, every class near its borders."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for number in range(count):
        image = 2 * torch.rand((1, 1, *spatial), generator=generator) - 1
        image.flatten()[:2] = torch.tensor([-1.0, 1.0])
        made.append((f"case_{number}", image, smooth(image).argmax(dim=1, keepdim=True)))
    return made
