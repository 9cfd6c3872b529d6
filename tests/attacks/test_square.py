"""The windows of the Square Attack."""

from __future__ import annotations

import pytest
import torch

from seat_components.attacks import square
from seat_components.attacks.square import random_windows, window_share, window_sides


def test_share_is_halved_as_in_the_paper_and_rescaled() -> None:
    for queries in (10_000, 1000):
        scale = queries / 10_000
        after = [(0, 1), (10, 2), (50, 4), (200, 8), (1000, 16), (2000, 32), (4000, 64), (6000, 128), (8000, 256)]
        for (query, divisor), (end, _) in zip(after, [*after[1:], (9999, 0)], strict=True):
            assert window_share(int(query * scale) + 1, queries, 0.8) == pytest.approx(0.8 / divisor)
            assert window_share(int(end * scale), queries, 0.8) == pytest.approx(0.8 / divisor)


@pytest.mark.parametrize("spatial", [(40,), (9, 7), (5, 4, 6), (1, 30, 2)])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 1e-6])
def test_windows_have_the_asked_sides_and_lie_inside(spatial: tuple[int, ...], share: float) -> None:
    sides = window_sides(spatial, share)
    assert all(1 <= side <= size for side, size in zip(sides, spatial, strict=True))
    inside = random_windows(torch.zeros(4, 2, *spatial), sides, torch.Generator().manual_seed(0))
    assert inside.shape == (4, 1, *spatial)
    for sample in inside:
        assert int(sample.sum()) == torch.tensor(sides).prod()
        for axis, side in enumerate(sides):
            others = [1 + other for other in range(len(sides)) if other != axis]
            along = sample.any(dim=0) if not others else sample.amax(dim=(0, *others))
            assert int(along.sum()) == side


def test_windows_differ_between_samples_and_reach_every_voxel() -> None:
    image = torch.zeros(200, 1, 6, 5)
    inside = random_windows(image, [2, 2], torch.Generator().manual_seed(0))
    assert not torch.equal(inside[0], inside[1])
    assert inside.any(dim=0).all()


def test_never_asks_for_a_gradient() -> None:
    def predictor(inputs: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        assert not inputs.requires_grad
        return torch.cat([inputs, -inputs], dim=1)

    image = torch.randn(1, 1, 20, generator=torch.Generator().manual_seed(0), requires_grad=True)
    square(predictor, image, torch.zeros(1, 1, 20, dtype=torch.long), eps=0.1)


def test_a_restart_searches_from_stripes_of_its_own() -> None:
    """The second search is worse than the first, but goes on from its own start."""
    image = torch.zeros(1, 1, 4, 50)
    seen: list[torch.Tensor] = []
    values = iter([10.0, 11.0, 0.0, 1.0])

    def predictor(inputs: torch.Tensor) -> torch.Tensor:
        seen.append(inputs.clone())
        return torch.cat([inputs, -inputs], dim=1)

    adversarial = square(
        predictor, image, image.long(), eps=0.1, bounds=(-1.0, 1.0), steps=2, restarts=2, window=0.1,
        loss=lambda *_: torch.tensor([next(values)]), generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert torch.equal(adversarial, seen[1])
    for start, moved in ((seen[0], seen[1]), (seen[2], seen[3])):
        assert (start[:, :, :1] == start).all(), "stripes vary along the last axis only"
        assert (start != moved).float().mean() < 0.15
