"""Corruptions that move the anatomy, and the label alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from monai.transforms import Affine
from monai.transforms.utils import create_rotate, create_translate
from numpy.random import RandomState
from torch import Tensor

from seat_components.corruptions.directions import either_way

_Movement = Callable[[float, RandomState, Sequence[float]], Callable[[Tensor, str], Tensor]]
"""(the severity's value, random numbers, voxel spacing in mm) → (volume (C, *spatial), interpolation) → it moved."""


def _misplacement(value: float, random: RandomState, spacing: Sequence[float]) -> Callable[[Tensor, str], Tensor]:
    axes = len(spacing)
    turn = create_rotate(axes, [either_way(random) * math.radians(value) for _ in range(axes)])
    shift = create_translate(axes, [either_way(random) * value for _ in range(axes)])
    # MONAI counts in voxels from the volume's centre; a turn is one in mm, whatever the voxels' shape.
    edges = np.diag([*spacing, 1.0])
    voxels = np.linalg.inv(edges) @ np.asarray(shift) @ np.asarray(turn) @ edges

    def moved(volume: Tensor, mode: str) -> Tensor:
        # Beyond the border both repeat what is there, so that the label says what the image shows.
        move = Affine(affine=voxels, mode=mode, padding_mode="border", image_only=True)
        made: Tensor = move(volume)
        return made

    return moved


MOVEMENTS: Mapping[str, _Movement] = {"misplacement": _misplacement}
