"""The anatomy of a phantom: an organ in parts inside a body, among distractors, noise and a bias field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Volume = NDArray[np.float64]

_ORGAN_RADIUS = (0.34, 0.44)  # half axes as shares of the volume's; the organ fills a few per cent, as real ones do
# Contrasts: a network sees intensities from about -2.75 to 2.75, so that ε = 8/255 of that range is 0.17.
HALF_WINDOW = 2.75
_STEP = 0.9  # between neighbouring parts
_NOISE = 0.45  # of one voxel: parts are told apart by neighbourhoods, not by single voxels
_BIAS = 0.25


@dataclass(frozen=True)
class Anatomy:
    """One phantom.

    Attributes:
        label: (H, W, D) class of each voxel.
        contrast: (C, H, W, D) intensities around 0, nearly all within ±``HALF_WINDOW``.
        air, bone: (H, W, D) masks of the darkest and the brightest voxels, which span the intensity range.
    """

    label: NDArray[np.uint8]
    contrast: Volume
    air: NDArray[np.bool_]
    bone: NDArray[np.bool_]


def draw_anatomy(shape: Sequence[int], classes: int, channels: int, random: np.random.Generator) -> Anatomy:
    """A random phantom of ``shape`` (H, W, D).

    The organ is a wobbly ellipsoid near the centre, parted along its long axis, one part for each of the
    ``classes`` − 1 labels. Each part differs from the body and from its neighbours in mean intensity by twice the
    noise of one voxel, so that a network must average over neighbourhoods to tell them apart; ε_b at 8/255 is
    about a fifth of that difference: the parts can be learned, and a network can be fooled about them.
    """
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    centre = random.uniform(-0.2, 0.2, size=(3, 1, 1, 1))
    radius = random.uniform(*_ORGAN_RADIUS, size=(3, 1, 1, 1)) * np.array([1.0, 1.4, 1.0]).reshape(3, 1, 1, 1)
    around = (grid - centre) / radius
    organ = np.linalg.norm(around, axis=0) + 0.12 * _smooth(shape, 4, random) < 1
    part = np.digitize(around[1] + 0.2 * _smooth(shape, 4, random), np.linspace(-1, 1, classes)[1:-1]) + 1
    label = np.where(organ, part, 0).astype(np.uint8)

    air = np.linalg.norm(grid, ord=4, axis=0) > 1.12
    bone = np.zeros(shape, dtype=bool)
    for _ in range(4):
        place = random.uniform(-0.8, 0.8, size=(3, 1, 1, 1))
        bone |= np.linalg.norm((grid - place) / random.uniform(0.06, 0.14), axis=0) < 1
    bone &= (label == 0) & ~air
    if not bone.any():
        bone[tuple(n // 2 for n in shape)] = True
    contrast = np.stack([_channel(label, classes, sign, random) for sign in (1, -1, 1, -1)[:channels]])
    return Anatomy(label, contrast, air, bone)


def _channel(label: NDArray[np.uint8], classes: int, sign: int, random: np.random.Generator) -> Volume:
    means = sign * _STEP * (np.arange(classes) - (classes - 1) / 2)
    texture = _BIAS * _smooth(label.shape, 10, random) + _NOISE * random.standard_normal(label.shape)
    structure: Volume = gaussian_filter(means[label], 0.6)
    return structure + texture


def _smooth(shape: Sequence[int], width: float, random: np.random.Generator) -> Volume:
    """A random field of unit variance without detail below ``width`` voxels."""
    field: Volume = gaussian_filter(random.standard_normal(tuple(shape)), width, mode="wrap")
    return field / np.std(field)
