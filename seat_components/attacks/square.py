"""Square Attack, L∞: a black-box random search, with cubes where the image is 3D."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seat_components.attacks.best import BestPerSample
from seat_components.attacks.losses import Loss, loss_function
from seat_components.attacks.predictor import Predictor
from seat_components.attacks.victim import Victim, VictimOptions, under_attack, uniform

if TYPE_CHECKING:
    from typing_extensions import Unpack

_HALVINGS = (10, 50, 200, 1000, 2000, 4000, 6000, 8000)
"""Queries, of 10 000, after which the share of the image inside a window is halved."""


def square(
    predictor: Predictor,
    image: Tensor,
    label: Tensor,
    *,
    eps: float,
    bounds: tuple[float, float] | None = None,
    steps: int = 20,
    loss: str | Loss = "ce",
    restarts: int = 1,
    generator: torch.Generator | None = None,
    window: float = 0.8,
    **options: Unpack[VictimOptions],
) -> Tensor:
    """Attack ``image`` without gradients: windows are set to x ± ε_b, and a sample keeps what raises its loss.

    The arguments are those of ``pgd``, and:

    Args:
        steps: queries per restart, the initial stripes included; a real search needs at least 1000.
        window: share p of the image's voxels in the first windows; it is halved as in the paper.

    Returns:
        The adversarial image (B, C, *spatial), a plain tensor inside the budget.

    Raises:
        ValueError: if an argument breaks its rule.

    Source: Andriushchenko et al., ECCV 2020, Algorithms 1 and 2. For rank d a window's side is p^(1/d) of each axis.
    """
    if not 0 < window <= 1:
        raise ValueError(f"window is {window}, but it is a share of the image's voxels: above 0, up to 1")
    objective = loss_function(loss)
    with under_attack(predictor, image, label, eps, bounds, steps, restarts, **options) as victim:
        best = BestPerSample(victim.image)
        for _ in range(restarts):
            search = BestPerSample(victim.image)
            proposal = _stripes(victim, generator)
            search.update(victim.value(proposal, objective), proposal)
            for query in range(1, steps):
                sides = window_sides(victim.image.shape[2:], window_share(query, steps, window))
                signs = _random_signs(victim.image, generator, (*victim.image.shape[:2], *[1] * len(sides)))
                corner = victim.project(victim.image + signs * victim.budget.radius)
                inside = random_windows(victim.image, sides, generator)
                proposal = torch.where(inside, corner, search.image)
                search.update(victim.value(proposal, objective), proposal)
            best.update(search.loss, search.image)
        return victim.project(best.image)


def _stripes(victim: Victim, generator: torch.Generator | None) -> Tensor:
    """The start: x ± ε_b with signs that vary along the last spatial axis only."""
    batch, channels, *spatial = victim.image.shape
    signs = _random_signs(victim.image, generator, (batch, channels, *[1] * (len(spatial) - 1), spatial[-1]))
    return victim.project(victim.image + signs * victim.budget.radius)


def _random_signs(like: Tensor, generator: torch.Generator | None, shape: tuple[int, ...]) -> Tensor:
    """−1 or 1 with equal probability."""
    return torch.where(uniform(like, generator, shape) < 0.5, -1.0, 1.0).to(like.dtype)


def window_share(query: int, queries: int, first: float) -> float:
    """The share p of the image inside the window of query number ``query`` (from 1) of ``queries``."""
    halvings = sum(query * 10_000 > halving * queries for halving in _HALVINGS)
    return first * 0.5**halvings


def window_sides(spatial: tuple[int, ...], share: float) -> list[int]:
    """Side of the window along each axis: ``share`` of the volume, at least one voxel."""
    return [max(1, round(size * share ** (1 / len(spatial)))) for size in spatial]


def random_windows(image: Tensor, sides: list[int], generator: torch.Generator | None) -> Tensor:
    """A window at a random place in each sample: bool (B, 1, *spatial), True inside."""
    rank = len(sides)
    places = uniform(image, generator, (len(image), rank))
    inside = torch.ones((len(image), 1, *[1] * rank), dtype=torch.bool, device=image.device)
    for axis, (size, side) in enumerate(zip(image.shape[2:], sides, strict=True)):
        start = (places[:, axis] * (size - side + 1)).floor().clamp_max(size - side)
        along = torch.arange(size, device=image.device)
        along = (along >= start[:, None]) & (along < start[:, None] + side)
        inside = inside & along.reshape(len(image), 1, *[size if other == axis else 1 for other in range(rank)])
    return inside
