"""SegPGD's weights, step by step."""

from __future__ import annotations

import torch
from logit_gradients import cross_entropy_gradient, logit_gradients

from seat_components.attacks import segpgd


def test_weights_go_from_correct_to_wrong_voxels() -> None:
    wrong_weights = [0.0, 1 / 8, 2 / 8, 3 / 8]  # (t − 1) / 2T for T = 4
    gradients = logit_gradients(segpgd, steps=4)
    assert len(gradients) == 4
    for gradient, weight in zip(gradients, wrong_weights, strict=True):
        weights = torch.tensor([1 - weight, weight, 1 - weight, weight])
        torch.testing.assert_close(gradient, weights * cross_entropy_gradient())
