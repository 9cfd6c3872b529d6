"""Uniform random noise: what the budget costs without an adversary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seat_components.attacks.best import BestPerSample
from seat_components.attacks.losses import Loss, loss_function
from seat_components.attacks.predictor import Predictor
from seat_components.attacks.victim import VictimOptions, under_attack

if TYPE_CHECKING:
    from typing_extensions import Unpack


def random_noise(
    predictor: Predictor,
    image: Tensor,
    label: Tensor,
    *,
    eps: float,
    bounds: tuple[float, float] | None = None,
    steps: int = 1,
    loss: str | Loss = "ce",
    restarts: int = 1,
    generator: torch.Generator | None = None,
    **options: Unpack[VictimOptions],
) -> Tensor:
    """Add noise uniform in ±ε_b, clamped to the range; of several draws (``restarts``) each sample keeps the worst.

    A single draw does not ask the predictor. The arguments are those of ``pgd``; ``steps`` has no meaning here.

    Raises:
        ValueError: if an argument breaks its rule.
    """
    objective = loss_function(loss)
    with under_attack(predictor, image, label, eps, bounds, steps, restarts, **options) as victim:
        draw = victim.random_start(generator)
        if restarts == 1:
            return draw
        best = BestPerSample(draw)
        best.update(victim.value(draw, objective), draw)
        for _ in range(restarts - 1):
            draw = victim.random_start(generator)
            best.update(victim.value(draw, objective), draw)
        return victim.project(best.image)
