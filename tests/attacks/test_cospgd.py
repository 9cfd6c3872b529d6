"""CosPGD's weights."""

from __future__ import annotations

import torch
from logit_gradients import LABEL, LOGITS, cross_entropy_gradient, logit_gradients

from seat_components.attacks import cospgd


def test_weights_are_the_cosine_and_carry_no_gradient() -> None:
    probabilities = LOGITS.softmax(dim=1)
    one_hot = torch.zeros_like(LOGITS).scatter(1, LABEL, 1.0)
    cosine = torch.cosine_similarity(probabilities, one_hot, dim=1)
    for gradient in logit_gradients(cospgd, steps=3):
        torch.testing.assert_close(gradient, cosine * cross_entropy_gradient())
