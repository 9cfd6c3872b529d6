"""What a scan's voxel grid may be, and what another grid leaves of a label: outside is a wrong unit, or damage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, TypeAlias

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

Affine: TypeAlias = NDArray[np.float64]

# From micro-CT to thick slices.
_FINEST, _COARSEST = 0.01, 25.0  # mm
_MOST_ANISOTROPIC = 100.0
_SMALLEST_LENGTH = 5.0  # mm, of the longest of the three edges
_FLATTEST = 0.1  # |determinant| of the voxel axes' directions; 1 where they are at right angles
_MOST_RESAMPLED = 2**30  # voxels: 4 GiB in float32, more than a body of 0.7 × 0.7 × 2 m has at 1 mm
_DEFAULT_PIXDIM = (1.0, 1.0, 1.0)


def affine_fault(affine: Affine) -> str | None:
    """The rule that a voxel-to-mm affine (4, 4) breaks, in words: its axes must be finite and span space."""
    edges = edge_lengths(affine)
    if not (np.isfinite(affine).all() and (edges > 0).all() and np.isfinite(edges).all()):
        return f"has an affine with voxel edges of {numbers(edges)} mm, but they must be positive and finite"
    flatness = abs(float(np.linalg.det(affine[:3, :3] / edges)))
    if flatness < _FLATTEST:
        return (
            f"has an affine whose voxel axes (nearly) lie in one plane: the determinant of their directions is "
            f"{flatness:.2g}, but must be {_FLATTEST} at least"
        )
    return None


def spacing_fault(shape: Sequence[int], spacing: Sequence[float], pixdim: Sequence[float] | None = None) -> str | None:
    """The rule that a voxel grid breaks, in words: as a scan, or once it is resampled.

    Args:
        shape: voxels along the three axes.
        spacing: mm along the same axes.
        pixdim: spacing that it will be resampled to, in mm along the same axes; 1 mm is tried where None.
    """
    words = f"has voxel spacing {numbers(spacing)} mm"
    if not all(_FINEST <= size <= _COARSEST for size in spacing):
        return f"{words}, but each must be {_FINEST:g} to {_COARSEST:g} mm: is its header in another unit?"
    if max(spacing) > _MOST_ANISOTROPIC * min(spacing):
        return f"{words}, but the largest may be {_MOST_ANISOTROPIC:g} times the smallest at most"
    lengths = [count * size for count, size in zip(shape, spacing, strict=True)]
    extent = f"{words} and is {' × '.join(f'{length:.3g}' for length in lengths)} mm large"
    if max(lengths) < _SMALLEST_LENGTH:
        return f"{extent}, but no scan is smaller than {_SMALLEST_LENGTH:g} mm: is its header in another unit?"
    wanted = _DEFAULT_PIXDIM if pixdim is None else pixdim
    target = f"at {'1 mm' if pixdim is None else f'the spacing of the task, {numbers(wanted)} mm'}"
    if any(length < size for length, size in zip(lengths, wanted, strict=True)):
        return f"{extent}: {target}, less than one voxel would be left along an axis"
    resampled = math.prod(_resampled_shape(shape, spacing, wanted))
    if resampled > _MOST_RESAMPLED:
        return f"{extent}: {target}, it would have {resampled:.2g} voxels, but {_MOST_RESAMPLED} is the most allowed"
    return None


def _resampled_shape(shape: Sequence[int], spacing: Sequence[float], pixdim: Sequence[float]) -> tuple[int, ...]:
    """The voxels along each axis after resampling, as MONAI counts them: the first and last centres stay."""
    return tuple(
        round((count - 1) * size / wanted) + 1 for count, size, wanted in zip(shape, spacing, pixdim, strict=True)
    )


def edge_lengths(affine: Affine) -> NDArray[np.float64]:
    """The voxel's edges in mm, along the array's axes."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths: NDArray[np.float64] = np.linalg.norm(affine[:3, :3], axis=0)
    return lengths


def corner_shift(affine: Affine, other: Affine, shape: Sequence[int]) -> float:
    """How far a corner of a volume of ``shape`` lies, at most, in one grid from where it lies in the other.

    The unit is the smallest voxel edge of the first ``affine``, (4, 4) from voxel indices to mm.
    """
    corners = np.array(list(product(*((0, size - 1) for size in shape), [1])), dtype=np.float64)
    distances = np.linalg.norm((corners @ (affine - other).T)[:, :3], axis=1)
    return float(distances.max() / edge_lengths(affine).min())


def in_stored_order(pixdim: Sequence[float], affine: Affine) -> tuple[float, ...]:
    """A spacing of the axes of RAS orientation, in the order of the axes of an array with this affine."""
    return tuple(pixdim[int(world)] for world in nib.io_orientation(affine)[:, 0])


def numbers(values: Sequence[float] | NDArray[np.float64]) -> str:
    """Numbers in a message."""
    return " × ".join(f"{value:g}" for value in values)


_TIE = 1e-3  # of a voxel: more than resampling loses by rounding


class Survival:
    """Counts foreground voxels, and those that nearest-neighbour resampling can pick.

    Where a place of the coarser grid lies in the middle of two voxels, rounding decides which is picked: both count.

    Args:
        shape: of the label, along its three axes.
        affine: of the label.
        pixdim: the spacing in mm, along the axes of RAS orientation, that it will be resampled to; None keeps all.
    """

    def __init__(self, shape: Sequence[int], affine: NDArray[np.float64], pixdim: Sequence[float] | None) -> None:
        self.shape = tuple(shape)
        self.before = 0
        self.after = 0
        self._next = 0
        self._picked = [np.arange(count) for count in shape] if pixdim is None else _picked(shape, affine, pixdim)

    @property
    def vanishes(self) -> bool:
        """Whether there is foreground, and none of it is left."""
        return self.before > 0 and self.after == 0

    def add(self, values: NDArray[Any]) -> None:
        """Take the label's next slices (H, W, some), or all of it with a channel axis before or behind."""
        if values.ndim > len(self.shape):
            values = values.reshape(self.shape)
        start, self._next = self._next, self._next + values.shape[-1]
        foreground = np.asarray(values > 0)
        self.before += int(np.count_nonzero(foreground))
        rows, columns, slices = self._picked
        here = slices[(slices >= start) & (slices < self._next)] - start
        self.after += int(np.count_nonzero(foreground[rows][:, columns][:, :, here]))


def _picked(shape: Sequence[int], affine: NDArray[np.float64], pixdim: Sequence[float]) -> list[NDArray[np.int64]]:
    """Along each axis, the indices that resampling picks: it starts at the end that lies in L, P or I."""
    picked = []
    orientation = nib.io_orientation(affine)
    for (world, sign), count, size in zip(orientation, shape, edge_lengths(affine), strict=True):
        wanted = pixdim[int(world)]
        (resampled,) = _resampled_shape([count], [size], [wanted])
        places = np.arange(resampled) * wanted / size
        nearest = np.unique(np.clip(np.rint([places - _TIE, places + _TIE]), 0, count - 1).astype(np.int64))
        picked.append(nearest if sign > 0 else count - 1 - nearest)
    return picked
