"""A small network, an example, and any attack of the table on them with a few steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from linear_voxels import SHAPES
from torch import Tensor, nn

from seat_components.attacks import ATTACKS

EPS = 16 / 255
STEPS = 6
each_attack = pytest.mark.parametrize("name", ATTACKS)


class SmallNetwork(nn.Module):
    """Two convolutions over three classes, with parts whose behaviour depends on their mode."""

    def __init__(self, rank: int = 2) -> None:
        super().__init__()
        convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
        normalisation = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[rank - 1]
        self.body = nn.Sequential(
            convolution(2, 6, 3, padding=1),
            normalisation(6),
            nn.Dropout(0.5),
            nn.SiLU(),
            convolution(6, 3, 3, padding=1),
        )
        generator = torch.Generator().manual_seed(1)
        for part in self.parameters():
            part.data = torch.randn(part.shape, generator=generator) * 0.5

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.body(image)
        return logits


def example(rank: int = 2, batch: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    """An image and the label that ``SmallNetwork`` predicts for it, with a few voxels changed."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn((batch, 2, *SHAPES[rank]), generator=generator)
    image[:, 1] *= 100
    label = torch.randint(0, 3, (batch, 1, *SHAPES[rank]), generator=generator)
    predicted = SmallNetwork(rank).eval()(image).argmax(dim=1, keepdim=True)
    return image, torch.where(torch.rand(label.shape, generator=generator) < 0.8, predicted, label)


def run(name: str, predictor: Any, image: Tensor, label: Tensor, seed: int = 3, **options: Any) -> Tensor:
    """The attack of that name with a few steps and a fixed seed."""
    options = {"eps": EPS, "steps": STEPS, **options}
    return ATTACKS[name](predictor, image, label, generator=torch.Generator().manual_seed(seed), **options)
