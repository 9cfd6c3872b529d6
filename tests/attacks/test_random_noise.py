"""Random noise as a baseline without an adversary."""

from __future__ import annotations

import torch
from linear_voxels import LinearVoxels

from seat_components.attacks import CountingPredictor, random_noise
from seat_components.budget import IntensityBudget


def test_one_draw_is_uniform_and_does_not_ask_the_predictor() -> None:
    problem = LinearVoxels.draw(3, 8)
    predictor = CountingPredictor(problem)
    generator = torch.Generator().manual_seed(0)
    adversarial = random_noise(predictor, problem.image, problem.label, eps=0.1, generator=generator)
    assert predictor.forwards == 0
    share = (adversarial - problem.image) / IntensityBudget.of(problem.image, 0.1).radius
    assert float(share.abs().max()) > 0.99
    assert abs(float(share.mean())) < 0.03
    assert abs(float(share.abs().mean()) - 0.5) < 0.03
