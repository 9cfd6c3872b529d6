"""An attacker that shares no code with the package finds hardly less than the protocols; no scale blinds ``quick``."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from trained_networks import LABELS, NETWORKS, phantom_batch, trained

from seat_components.evaluation import robustness_of

EPS = 8 / 255
BELOW = {"strong": 0.005, "standard": 0.02}
STEPS, RESTARTS = 50, 2

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
    image, label = phantom_batch([100])
    found = lowest_dice(network, image, label)
    for protocol, below in BELOW.items():
        record = robustness_of(network, [("case", image, label)], labels=LABELS, protocol=protocol)
        dice = {row["attack"]: sum(row["dice"].values()) / len(row["dice"]) for row in record["cases"]}
        assert dice["clean"] > 0.5, "a network worth attacking"
        assert found >= dice["worst"] - below, f"{protocol} states {dice['worst']:.4f}, but {found:.4f} was found"


@pytest.mark.parametrize("disguise", ["probabilities", "small", "large"])
def test_quick_gets_the_number_right_whatever_the_scale_of_the_logits(disguise):
    network = trained("clean")
    disguised = {
        "probabilities": lambda image: network(image).softmax(dim=1),
        "small": lambda image: network(image) * 1e-3,
        "large": lambda image: network(image) * 1e3,
    }[disguise]
    image, label = phantom_batch([100])
    worst = [
        min(sum(row["dice"].values()) / 2 for row in record["cases"])
        for record in (
            robustness_of(model, [("case", image, label)], labels=LABELS, protocol="quick")
            for model in (network, disguised)
        )
    ]
    assert worst[0] < 0.5, "a network worth attacking"
    assert worst[1] <= worst[0] + 0.02
