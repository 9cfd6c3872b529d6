"""Statistics of many voxels that are seen a few at a time: mean, standard deviation, percentiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 2**18
CT_RANGE = (-4096.0, 12288.0 - 1 / 16)  # HU; the bins lie 1/16 HU apart, so that whole HU are counted exactly
UNIT_RANGE = (0.0, 1.0)


class Intensities:
    """A running summary of one channel's voxels, of fixed size (2 MiB) whatever their number.

    Count, mean and standard deviation are exact, of all voxels. Percentiles come from a histogram of all voxels,
    whose 2¹⁸ bins lie evenly over ``span``: they are exact where intensities lie on the bins (whole Hounsfield units
    over ``CT_RANGE``), elsewhere right to half a bin (1/32 HU; 2·10⁻⁶ over ``UNIT_RANGE``). Voxels beyond the span
    count in its outermost bins.

    Args:
        span: the lowest and the highest bin's intensity.
    """

    def __init__(self, span: tuple[float, float]) -> None:
        self.span = span
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0  # sum of squared distances from the mean
        self._histogram: NDArray[np.int64] = np.zeros(BINS, dtype=np.int64)

    @property
    def std(self) -> float:
        """Standard deviation (of the population)."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0

    def add(self, values: NDArray[Any]) -> None:
        """Count ``values``, of any shape."""
        flat = values.astype(np.float64).ravel()
        if flat.size == 0:
            return
        mean = float(flat.mean())
        self._merge_moments(flat.size, mean, float(np.square(flat - mean).sum()))
        low, high = self.span
        bins = np.rint((np.clip(flat, low, high) - low) * ((BINS - 1) / (high - low))).astype(np.int64)
        self._histogram += np.bincount(bins, minlength=BINS)

    def merge(self, other: Intensities) -> None:
        """Count all that ``other`` has counted over the same span."""
        self._merge_moments(other.count, other.mean, other._squares)
        self._histogram += other._histogram

    def percentile(self, q: float) -> float:
        """The ``q``-th percentile, between two neighbouring voxels by linear interpolation, as in NumPy."""
        position = q / 100 * (self.count - 1)
        below, above = self._ranked(math.floor(position)), self._ranked(math.ceil(position))
        return below + (position - math.floor(position)) * (above - below)

    def _ranked(self, rank: int) -> float:
        """The intensity of the voxel that ``rank`` others precede in ascending order."""
        bin_ = int(np.searchsorted(np.cumsum(self._histogram), rank, side="right"))
        low, high = self.span
        return low + bin_ * ((high - low) / (BINS - 1))

    def _merge_moments(self, count: int, mean: float, squares: float) -> None:
        """Chan, Golub, LeVeque: Algorithms for Computing the Sample Variance (1983), equation 2.1."""
        total = self.count + count
        if total == 0:
            return
        shift = mean - self.mean
        self._squares += squares + shift**2 * self.count * count / total
        self.mean += shift * count / total
        self.count = total
