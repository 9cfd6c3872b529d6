"""Gradients at the network's input, also in half precision, and the start inside the budget."""

from __future__ import annotations

import torch
from torch import Tensor

from seat_components.attacks import LOSSES
from seat_components.attacks.best import BestPerSample
from seat_components.attacks.victim import under_attack
from seat_components.budget import IntensityBudget


def two_classes(image: Tensor) -> Tensor:
    return torch.cat([image + 4, -image], dim=1)


def test_gradient_is_that_of_the_loss_times_the_number_of_voxels() -> None:
    image = torch.randn(2, 1, 6, 5, generator=torch.Generator().manual_seed(0))
    label = torch.zeros(2, 1, 6, 5, dtype=torch.long)
    with under_attack(two_classes, image, label, 0.1, None) as victim:
        value, gradient = victim.value_and_gradient(image, LOSSES["ce"])
    wrong = two_classes(image).softmax(dim=1)[:, 1:]
    torch.testing.assert_close(gradient, -2 * wrong)
    torch.testing.assert_close(value, LOSSES["ce"](two_classes(image), label))


def test_gradient_does_not_vanish_at_the_ends_of_the_range() -> None:
    """A clamp inside the graph would give 0 there, and CT backgrounds lie exactly at the lowest value."""
    image = torch.tensor([-1.0, -1.0, 0.0, 1.0, 1.0]).reshape(1, 1, 5)
    with under_attack(two_classes, image, image.long() * 0, 0.1, None) as victim:
        _, gradient = victim.value_and_gradient(image, LOSSES["ce"])
    assert (gradient != 0).all()


def test_gradient_of_a_large_volume_survives_half_precision() -> None:
    """The mean over 10⁵ voxels of confident predictions has gradients below half precision's smallest number."""
    image = torch.zeros(1, 1, 100_000)
    label = torch.zeros(1, 1, 100_000, dtype=torch.long)

    def half(inputs: Tensor) -> Tensor:
        return two_classes(inputs).half()

    with under_attack(half, image, label, 0.1, (-1.0, 1.0)) as victim:
        _, gradient = victim.value_and_gradient(image, LOSSES["ce"])
    wrong = two_classes(image).softmax(dim=1)[:, 1:]
    torch.testing.assert_close(gradient, -2 * wrong, rtol=1e-2, atol=0.0)


def test_gradient_is_finite_where_the_network_s_is_not() -> None:
    """The square root has an infinite slope at 0, and 0·∞ gives NaN."""
    image = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 3)

    def predictor(inputs: Tensor) -> Tensor:
        return torch.cat([inputs.square().sqrt(), -inputs], dim=1)

    with under_attack(predictor, image, image.long() * 0, 0.1, None) as victim:
        value, gradient = victim.value_and_gradient(image, LOSSES["ce"])
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    assert (gradient[..., 1:] != 0).all()


def test_random_start_fills_the_budget() -> None:
    image = torch.zeros(1, 1, 10_000)
    with under_attack(two_classes, image, image.long(), 0.1, (-1.0, 1.0)) as victim:
        start = victim.random_start(torch.Generator().manual_seed(0))
    assert IntensityBudget.of(image, 0.1, (-1.0, 1.0)).holds(start, image)
    assert abs(float(start.mean())) < 0.005
    assert float(start.std()) > 0.11


def test_best_is_kept_per_sample_and_whole() -> None:
    image = torch.zeros(3, 1, 4)
    best = BestPerSample(image)
    nan = float("nan")
    assert best.update(torch.tensor([1.0, 2.0, nan]), image + 1).tolist() == [True, True, False]
    assert best.update(torch.tensor([3.0, 1.0, torch.inf]), image + 2).tolist() == [True, False, False]
    assert best.update(torch.tensor([3.0, nan, -5.0]), image + 3).tolist() == [False, False, True]
    assert best.loss.tolist() == [3.0, 2.0, -5.0]
    assert best.image[:, 0].tolist() == [[2.0] * 4, [1.0] * 4, [3.0] * 4]
