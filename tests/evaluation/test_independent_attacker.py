"""An attacker that shares no code with the package finds hardly less Dice than the protocols state."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from trained_networks import LABELS, NETWORKS, phantom_batch, trained

from seat_components.evaluation import robustness_of

EPS = 8 / 255
BELOW = {"strong": 0.005, "standard": 0.02}
STEPS, RESTARTS = 60, 2

pytestmark = pytest.mark.slow


def soft_dice_loss(logits: Tensor, onehot: Tensor) -> Tensor:
    p = torch.softmax(logits, 1)[:, 1:]
    q = onehot[:, 1:]
    axes = (2, 3, 4)
    return 1 - ((2 * (p * q).sum(axes)) / ((p + q).sum(axes) + 1e-5)).mean()


def cross_entropy_loss(logits: Tensor, onehot: Tensor) -> Tensor:
    return -(torch.log_softmax(logits, 1) * onehot).sum(1).mean()


def hard_dice(logits: Tensor, label: Tensor) -> float:
    predicted = logits.argmax(1)
    parts = []
    for number in range(1, logits.shape[1]):
        p, q = predicted == number, label[:, 0] == number
        total = int(p.sum() + q.sum())
        parts.append(2 * int((p & q).sum()) / total if total else 1.0)
    return sum(parts) / len(parts)


def lowest_dice(network: nn.Module, image: Tensor, label: Tensor) -> float:
    """The lowest Dice of all images that sign ascent with a falling step comes by, over losses and restarts."""
    lowest, highest = image.min(), image.max()
    radius = EPS * (highest - lowest)
    onehot = torch.nn.functional.one_hot(label[:, 0], len(LABELS)).movedim(-1, 1).float()
    found = hard_dice(network(image), label)
    generator = torch.Generator().manual_seed(7)
    for loss in (soft_dice_loss, cross_entropy_loss):
        for _ in range(RESTARTS):
            noise = (torch.rand(image.shape, generator=generator) * 2 - 1) * radius
            momentum = torch.zeros_like(image)
            for step in range(STEPS):
                attacked = (image + noise).clamp(lowest, highest).requires_grad_()
                logits = network(attacked)
                found = min(found, hard_dice(logits, label))
                (gradient,) = torch.autograd.grad(loss(logits, onehot), attacked)
                momentum = 0.75 * momentum + gradient / gradient.abs().mean().clamp_min(1e-20)
                noise = noise + 2 * radius * (1 - step / STEPS) ** 2 * momentum.sign()
                noise = noise.clamp(-radius, radius)
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_it_finds_hardly_less_than_the_protocols_state(name):
    network = trained(name)
    images, labels = phantom_batch([100, 101])
    cases = [(f"case_{place}", images[place][None], labels[place][None]) for place in range(len(images))]
    found = [lowest_dice(network, image, label) for _, image, label in cases]
    for protocol, below in BELOW.items():
        record = robustness_of(network, cases, labels=LABELS, protocol=protocol)
        rows = {row["case"]: row for row in record["cases"] if row["attack"] == "worst"}
        for (case, _, _), other in zip(cases, found, strict=True):
            stated = sum(rows[case]["dice"].values()) / len(rows[case]["dice"])
            assert other >= stated - below, f"{protocol} states {stated:.4f} for {case}, but {other:.4f} was found"
