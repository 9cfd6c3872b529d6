"""Small networks after some seconds of training on phantoms: clean, with noise, and adversarially."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from torch import Tensor, nn

from seat_components.data.phantom import draw_anatomy

LABELS = ("background", "front", "back")
SHAPE = (20, 24, 20)
_STEPS, _BATCH = 300, 4


def phantom_batch(seeds: range | list[int]) -> tuple[Tensor, Tensor]:
    """Images (B, 1, *SHAPE) and labels (B, 1, *SHAPE) of phantoms."""
    made = [draw_anatomy(SHAPE, len(LABELS), 1, np.random.default_rng(seed)) for seed in seeds]
    images = np.stack([anatomy.contrast for anatomy in made]).astype(np.float32)
    return torch.from_numpy(images), torch.from_numpy(np.stack([anatomy.label for anatomy in made])[:, None]).long()


def _residual() -> nn.Module:
    return UNet(3, 1, len(LABELS), channels=(8, 16, 32), strides=(2, 2), num_res_units=1)


def _plain() -> nn.Module:
    return UNet(3, 1, len(LABELS), channels=(8, 16), strides=(2,), num_res_units=0, norm=("group", {"num_groups": 4}))


NETWORKS = {"clean": (_residual, 0.0), "robust": (_residual, 4 / 255), "plain": (_plain, 2 / 255)}
"""Name → (its network, ε of the gradient's sign, by which images move in the second half of its training)."""


@cache
def trained(name: str) -> nn.Module:
    """The network of that name, in evaluation mode."""
    build, eps = NETWORKS[name]
    images, labels = phantom_batch(range(48))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build()
    loss = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False)
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    for step in range(_STEPS):
        first = _BATCH * step % len(images)
        image, label = images[first : first + _BATCH], labels[first : first + _BATCH]
        if eps and step >= _STEPS // 2:
            point = image.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(loss(network(point), label), point)
            image = image + eps * (image.amax() - image.amin()) * gradient.sign()
        optimiser.zero_grad()
        loss(network(image), label).backward()
        optimiser.step()
    return network.eval()
