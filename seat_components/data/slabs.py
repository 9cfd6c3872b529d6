"""A volume that is read slab by slab, so that checking or converting a large file needs little memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

SLAB_BYTES = 2**22
WHOLE_TOLERANCE = 1e-3
"""How far a label value may lie from a whole number: a header's slope, or float32, leaves rounding errors."""

Array: TypeAlias = NDArray[Any]
# The channel, the slices along the third axis, and their values (X, Y, slices).
Slab: TypeAlias = tuple[int, slice, Array]


class ScanError(ValueError):
    """A file that must not be used as a scan or label. The message, read after the file's name, is the rule."""


@dataclass(frozen=True)
class Volume:
    """A volume whose values are read when asked for.

    Attributes:
        channels: how many there are; 1 where the file has no channel axis.
        shape: voxels along the three spatial axes.
        affine: from voxel indices to mm in RAS+ space, (4, 4).
        spacing: as the header states it, in mm.
        slabs: gives the values, each once, channel by channel and along the third axis.
    """

    channels: int
    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    spacing: tuple[float, ...]
    slabs: Callable[[], Iterator[Slab]]

    def whole(self, dtype: DTypeLike = np.float32) -> Array:
        """All values, (X, Y, Z), or (X, Y, Z, channels) where there are several."""
        values = np.empty((*self.shape, self.channels), dtype, order="F")
        for channel, place, slab in self.slabs():
            values[:, :, place, channel] = slab
        return values if self.channels > 1 else values[..., 0]

    def whole_label(self) -> NDArray[np.uint8]:
        """All values, (X, Y, Z), as uint8; a label file of 2 GB in float64 so takes an eighth of that, and never more.

        Raises:
            ScanError: if there are several channels, or a value is no whole number from 0 to 255.
        """
        if self.channels > 1:
            raise ScanError(f"has {self.channels} channels, but a label has one")
        label = np.empty(self.shape, np.uint8, order="F")
        for _, place, slab in self.slabs():
            whole = as_bytes(slab)
            if whole is None:
                raise ScanError("has label values that are not whole numbers from 0 to 255")
            label[:, :, place] = whole
        return label


def split(values: Callable[[int, slice], Array], shape: tuple[int, ...], channels: int) -> Iterator[Slab]:
    """The slabs of a volume of ``shape``, each of about ``SLAB_BYTES`` as float64; ``values`` reads one of them."""
    step = max(1, SLAB_BYTES // max(8 * int(np.prod(shape[:2])), 1))
    for channel in range(channels):
        for start in range(0, shape[2], step):
            place = slice(start, min(start + step, shape[2]))
            yield channel, place, values(channel, place)


def strange_values(found: Iterable[Any], labels: Collection[int]) -> str | None:
    """That a label has values that its task has not, in words; None where it has none."""
    strange = [value for value in found if value not in labels]
    return f"has label value(s) {listing(strange)}, but the task's are {listing(sorted(labels))}" if strange else None


def listing(values: Sequence[Any]) -> str:
    """The first ten, in full: rounded, a wrong value may look like one that is allowed."""
    shown = ", ".join(str(value) for value in values[:10])
    return f"{shown}, …" if len(values) > 10 else shown


def as_bytes(values: Array) -> NDArray[np.uint8] | None:
    """``values`` as uint8, or None where one is not whole, to within ``WHOLE_TOLERANCE``, or not from 0 to 255."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind in "iub":  # whole as they are; and a difference from the least of a type overflows
        whole = values.astype(np.uint8)
        return whole if np.array_equal(whole, values) else None
    with np.errstate(invalid="ignore"):
        whole = np.rint(values).astype(np.uint8)
        near = np.array_equal(whole, values) or bool((np.abs(values - whole) <= WHOLE_TOLERANCE).all())
    return whole if near else None
