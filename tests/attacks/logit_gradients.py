"""The gradients that an attack sends into the logits, step by step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LOGITS = torch.tensor([[2.0, -1.0, 0.5, 0.0], [0.0, 1.0, 0.0, 3.0], [-1.0, 0.0, 1.0, 1.0]])[None]
"""Three classes, four voxels."""
LABEL = torch.tensor([0, 2, 2, 0])[None, None]
"""The first and third voxel are predicted correctly."""


def logit_gradients(attack: Callable[..., Tensor], steps: int) -> list[Tensor]:
    """Per step, the gradient of the summed loss with respect to logits that stay at ``LOGITS``, (1, 3, 4)."""
    seen: list[Tensor] = []

    def predictor(image: Tensor) -> Tensor:
        logits = LOGITS + 0 * image
        if logits.requires_grad:
            logits.register_hook(seen.append)
        return logits

    attack(predictor, torch.zeros(1, 1, 4), LABEL, eps=0.1, bounds=(-1.0, 1.0), steps=steps)
    return seen


def cross_entropy_gradient() -> Tensor:
    """softmax − one-hot label, (1, 3, 4)."""
    return LOGITS.softmax(dim=1) - torch.zeros_like(LOGITS).scatter(1, LABEL, 1.0)
