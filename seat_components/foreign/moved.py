"""Whether a preprocessing has moved a scan's voxels without saying so in its affine: its label would be left behind."""

from __future__ import annotations

import math
from functools import partial
from itertools import permutations, product

import torch
from monai.data import MetaTensor
from monai.transforms import SpatialResample
from torch import Tensor

_VOXELS = 50_000
"""About as many are compared, evenly spread."""
_CLEARLY = 0.1
"""By so much must the scan fit better elsewhere, in correlation."""

_AXES = (1, 2, 3)
_FLIPS = tuple([axis for axis, turn in zip(_AXES, turns, strict=True) if turn] for turns in product((0, 1), repeat=3))


def fits_better_turned(prepared: MetaTensor, raw: MetaTensor) -> bool:
    """Whether a scan resembles itself clearly more with axes turned round or swapped than where its affine puts it.

    What preparing does to intensities changes little in a correlation's size; moving voxels does, unless the scan is
    symmetrical, where it matters little.

    Args:
        prepared: the scan as it was prepared, (C, X, Y, Z); its first channel is compared.
        raw: the scan as its file has it, (C, A, B, C), likewise.
    """
    step = max(1, round((prepared[0].numel() / _VOXELS) ** (1 / 3)))
    seen = prepared.as_tensor()[:1, ::step, ::step, ::step].float()
    grid = prepared.affine.double() @ torch.diag(torch.tensor([step, step, step, 1.0], dtype=torch.float64))
    resample = partial(SpatialResample(mode="bilinear"), dst_affine=grid, spatial_size=seen.shape[1:])

    def resemblance(order: tuple[int, ...], flip: list[int]) -> float:
        return _resemblance(seen.flip(flip), placed[order])

    first = raw.as_tensor()[:1].float()
    placed = {order: resample(MetaTensor(first.permute(0, *order), affine=raw.affine)) for order in permutations(_AXES)}
    there = resemblance(_AXES, [])
    return any(resemblance(order, flip) > there + _CLEARLY for order in placed for flip in _FLIPS)


def _resemblance(one: Tensor, other: Tensor) -> float:
    """The size of Pearson's correlation; 0 where one of the two is constant."""
    size = float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]).double())[0, 1].abs())
    return 0.0 if math.isnan(size) else size
