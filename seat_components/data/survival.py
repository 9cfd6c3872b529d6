"""Whether a label's foreground is still there after resampling to a coarser grid, found without resampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from seat_components.data.geometry import edge_lengths, resampled_shape

TIE = 1e-3  # of a voxel: more than resampling loses by rounding


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
        (resampled,) = resampled_shape([count], [size], [wanted])
        places = np.arange(resampled) * wanted / size
        nearest = np.unique(np.clip(np.rint([places - TIE, places + TIE]), 0, count - 1).astype(np.int64))
        picked.append(nearest if sign > 0 else count - 1 - nearest)
    return picked
