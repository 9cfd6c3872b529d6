"""From sizes to patches and strides: the published planning rules of ROG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from seat_components.tasks.table import Size

LONGEST_LAST_AXIS = 160  # voxels; a longer median counts as this
_SMALL_OBJECT = 32**3  # voxels; below it the network downsamples once less
_LARGE_DOWNSAMPLED, _MEDIUM_DOWNSAMPLED = 12 * 12 * 6, 12 * 12 * 4
_SAMPLING_MARGIN = 20  # voxels around the training patch, for rotation and scaling
_LATTICE_STRIDE = 4  # what ROG's lattice downsamples beyond the planned strides
_SHORTEST_PATCH = 8  # voxels; a shorter axis is padded to it
_CAP, _LOWER_CAP = 7, 6  # of the exponent of 2 in a patch


@dataclass(frozen=True)
class Patches:
    """Patch sizes in voxels, and the network's strides.

    Attributes:
        strides: three downsampling factors per axis, one triple per stage, as ``ROG`` takes them.
        train: what the network sees in training.
        sampling: what is cut out before rotation and scaling.
        val: a window of the sliding inference.
    """

    strides: tuple[Size, Size, Size]
    train: Size
    sampling: Size
    val: Size


@dataclass(frozen=True)
class _Axis:
    train: int
    sampling: int
    val: int
    twos: int  # how many of the n downsamplings act on this axis


def published_patches(median_size: Sequence[float], small_size: Sequence[float], small_volume: float) -> Patches:
    """The plan of the published rules, which gives all ten published plans exactly.

    Args:
        median_size: voxels along each axis of the median volume at the planned spacing, the last axis at most 160.
        small_size: voxels along each axis of the box around a typical object of the smallest class.
        small_volume: voxels of such an object.

    Source: Daza et al., "Towards Robust General Medical Image Segmentation" (MICCAI 2021), published plans.
    """
    downsamplings = 4 if small_volume < _SMALL_OBJECT else 5

    def axes(cap: int) -> list[_Axis]:
        return [
            _plan_axis(size, small, downsamplings, cap) for size, small in zip(median_size, small_size, strict=True)
        ]

    planned = axes(_CAP)
    if _downsampled_voxels(planned) >= _LARGE_DOWNSAMPLED:
        downsamplings = 5
        planned = axes(_CAP)
    if _downsampled_voxels(planned) >= _MEDIUM_DOWNSAMPLED:
        planned = axes(_LOWER_CAP)
    return Patches(
        strides=_strides([axis.twos for axis in planned]),
        train=_size(axis.train for axis in planned),
        sampling=_size(axis.sampling for axis in planned),
        val=_size(axis.val for axis in planned),
    )


def plan_patches(median_size: Sequence[float], small_size: Sequence[float], small_volume: float) -> Patches:
    """The plan for new data: the published rules, and two beyond them without which a network could not run.

    Along each axis the window of the inference is rounded up to a multiple of all that ROG downsamples (the
    published rules give 200 for a median of 400, where 32 must divide); an axis shorter than 8 voxels gets a
    patch of 8, by padding, without strides. The arguments are those of ``published_patches``.
    """
    capped = [*median_size[:2], min(median_size[2], LONGEST_LAST_AXIS)]
    patches = published_patches(capped, [max(size, 1.0) for size in small_size], small_volume)
    factors = [_LATTICE_STRIDE * math.prod(stage[axis] for stage in patches.strides) for axis in range(3)]
    val = _size(math.ceil(size / factor) * factor for size, factor in zip(patches.val, factors, strict=True))
    return replace(patches, val=val)


def _plan_axis(size: float, small: float, downsamplings: int, cap: int) -> _Axis:
    if size < _SHORTEST_PATCH:
        return _Axis(_SHORTEST_PATCH, _SHORTEST_PATCH, _SHORTEST_PATCH, 0)
    usable = 0.7 * size if size > 128 else size
    exponent = min(int(math.log2(usable)), cap)
    train, val = 1 << exponent, 1 << min(int(math.log2(usable)), _CAP)
    twos = max(min(int(math.log2(small)), downsamplings, exponent - 2), 0)
    stays_large = train >> twos >= 8 and downsamplings == 5
    if train * 1.5 < usable and not stays_large:
        train = train * 3 // 2
    if val * 1.5 < usable:
        val = val * 3 // 2
    sampling = train + _SAMPLING_MARGIN if train + _SAMPLING_MARGIN < usable else train
    return _Axis(train, sampling, max(int(size // 2), val), twos)


def _downsampled_voxels(axes: Sequence[_Axis]) -> float:
    return math.prod(axis.train / (1 << axis.twos) for axis in axes)


def _strides(twos: Sequence[int]) -> tuple[Size, Size, Size]:
    """Five positions per axis, 2 on the last ``twos`` of them; the last two positions are the lattice's own."""
    first, second, third = (_size(2 if 5 - position <= number else 1 for number in twos) for position in range(3))
    return first, second, third


def _size(numbers: Iterable[int]) -> Size:
    x, y, z = numbers
    return x, y, z
