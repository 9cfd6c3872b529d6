"""Small networks after some seconds of training on phantoms: clean, with noise, and adversarially."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import SegResNet, UNet
from torch import Tensor, nn

from seat_components.data.phantom import draw_anatomy

LABELS = ("background", "front", "back")
SHAPE = (20, 24, 20)
_STEPS, _BATCH = 200, 4


def phantom_batch(seeds: range | list[int]) -> tuple[Tensor, Tensor]:
    """Images (B, 1, *SHAPE) and labels (B, 1, *SHAPE) of phantoms."""
    made = [draw_anatomy(SHAPE, len(LABELS), 1, np.random.default_rng(seed)) for seed in seeds]
    images = np.stack([anatomy.contrast for anatomy in made]).astype(np.float32)
    return torch.from_numpy(images), torch.from_numpy(np.stack([anatomy.label for anatomy in made])[:, None]).long()


def _u_net() -> nn.Module:
    return UNet(3, 1, len(LABELS), channels=(8, 16, 32), strides=(2, 2), num_res_units=1)


def _residual() -> nn.Module:
    return SegResNet(3, init_filters=8, in_channels=1, out_channels=3, blocks_down=(1, 1), blocks_up=(1,))


NETWORKS = {"clean": (_u_net, 0.0), "robust": (_u_net, 8 / 255), "residual": (_residual, 2 / 255)}
"""Name → (its network, ε of a step of the gradient's sign in training)."""


@cache
def trained(name: str) -> nn.Module:
    """The network of that name, in evaluation mode."""
    build, eps = NETWORKS[name]
    images, labels = phantom_batch(range(48))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build()
    loss = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for step in range(_STEPS):
        first = _BATCH * step % len(images)
        image, label = images[first : first + _BATCH], labels[first : first + _BATCH]
        if eps:
            point = image.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(loss(network(point), label), point)
            image = image + eps * (image.amax() - image.amin()) * gradient.sign()
        optimiser.zero_grad()
        loss(network(image), label).backward()
        optimiser.step()
    return network.eval()
