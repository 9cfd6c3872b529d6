"""A classifier of single voxels whose smoothed answer, and how far it holds, are known in closed form."""

from __future__ import annotations

import math

import torch
from monai.transforms import NormalizeIntensityd
from torch import Tensor

from seat_components.data import ClipIntensityd
from seat_components.records.certificate import GAMMA, NOISE
from seat_components.smoothing import Smoothing

THRESHOLD = 0.4
SIGMAS = {GAMMA: 0.5, NOISE: 0.2}


def smoothing(seed=0, ct=False, low=0.0, high=1.0, sigmas=SIGMAS):
    """Smoothing whose clipping keeps low to high, and whose normalising changes nothing."""
    clip = ClipIntensityd("image", [low], [high])
    return Smoothing([clip, NormalizeIntensityd("image", [0.0], [1.0], channel_wise=True)], ct, sigmas, seed)


def voxels():
    """A scan (1, 1, *spatial): values on both sides of the threshold, near it and far from it."""
    return torch.linspace(0.05, 0.95, 24).reshape(1, 1, 2, 3, 4)


def answer(network_input: Tensor) -> Tensor:
    """Class 1 above the threshold, else 0, (*spatial)."""
    return (network_input > THRESHOLD).long()[0, 0]


def margins(image: Tensor, transformation: str) -> Tensor:
    """How far the parameter may move, in units of σ, before the smoothed class is not 1 any more; negative for 0."""
    values = image[0, 0].double()
    if transformation == NOISE:
        return (values - THRESHOLD) / SIGMAS[NOISE]
    # x ** exp(β) > t where exp(β) < log t / log x.
    return (math.log(THRESHOLD) / values.log()).log() / SIGMAS[GAMMA]
