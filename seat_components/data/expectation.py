"""Whether a scan is of the kind that a bundle is made for, by spacing, size and intensities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from seat_components.data.geometry import Affine, edge_lengths, numbers

# Ours, set so that no real scan and no phantom at hand is warned about; docs/data.md says how far these stay away.
_COARSER = 5.0  # times the task's spacing
_LARGER, _SMALLER = 5.0, 0.1  # times the task's median size, after resampling
_CT_LOW, _CT_HIGH = -20.0, 4096.0  # HU: fat is below -50, air at -1000; the densest metal that a scanner stores is 3071
_CAPPED, _RECKONED = 160.0, 300.0  # slices: the published medians count 160 at most

Percentiles = NDArray[np.float64]
"""Per channel: the lowest value, the 0.5th percentile, the 99.5th and the highest value, (channels, 4)."""


@dataclass(frozen=True)
class Expectation:
    """What a task's table, or a dataset's plan, says of its scans; axes are those of RAS orientation.

    Attributes:
        ct: whether intensities are Hounsfield units.
        spacing: mm along each axis.
        median_size: voxels along each axis at that spacing.
        p0_5, mean: of the foreground's intensities, per channel; MRI after scaling to [0, 1].
    """

    ct: bool
    spacing: Sequence[float]
    median_size: Sequence[float]
    p0_5: Sequence[float]
    mean: Sequence[float]

    def remarks(self, affine: Affine, shape: Sequence[int], seen: Percentiles) -> list[str]:
        """What is far outside, each with the figure and what is expected; nothing of a usual scan."""
        axes = np.argsort(nib.io_orientation(affine)[:, 0])
        spacing, size = edge_lengths(affine)[axes], np.array(shape)[axes]
        usual = np.array(self.spacing)
        remarks = []
        if (spacing > _COARSER * usual).any():
            remarks.append(
                f"has spacing {numbers(spacing)} mm, more than {_COARSER:g} times the task's ({numbers(usual)} mm)"
            )
        median = np.where(np.array(self.median_size) == _CAPPED, _RECKONED, self.median_size)
        resampled = size * spacing / usual
        if (resampled > _LARGER * median).any() or (resampled < _SMALLER * median).any():
            remarks.append(
                f"measures {numbers(size * spacing)} mm, but the task's scans typically "
                f"{numbers(median * usual)} mm (is it the same part of the body?)"
            )
        intensities = self._ct_remark if self.ct else self._mri_remark
        for channel, values in enumerate(seen):
            if remark := intensities(channel, *values.tolist()):
                which = f" in channel {channel}" if len(seen) > 1 else ""
                remarks.append(
                    f"has intensities from {values[1]:.4g} to {values[2]:.4g} (0.5th to 99.5th percentile)"
                    f"{which}, but {remark}"
                )
        return remarks

    def _ct_remark(self, channel: int, _: float, low: float, high: float, __: float) -> str | None:
        if low > _CT_LOW:
            return (
                f"CT in Hounsfield units has fat and air, below {_CT_LOW:g} (are these stored values without their "
                "rescale, already normalised, or MRI?)"
            )
        if high < self.mean[channel]:
            return f"the task's foreground has {self.mean[channel]:.4g} on average (are these Hounsfield units?)"
        return f"Hounsfield units end near {_CT_HIGH:g} (is a scale applied twice?)" if high > _CT_HIGH else None

    def _mri_remark(self, channel: int, lowest: float, low: float, high: float, highest: float) -> str | None:
        if low < 0:
            return "MRI as scanned has none below 0 (is it CT, or already normalised?)"
        if highest <= 1:
            return "MRI as scanned is not within 0 to 1 (is it already normalised?)"
        scaled = (high - lowest) / (highest - lowest) if highest > lowest else 1.0
        if scaled < self.p0_5[channel]:
            return (
                f"the highest is {highest:.4g}: scaled to [0, 1], nearly all lie below {scaled:.3g}, where the task's "
                f"foreground begins at {self.p0_5[channel]:.3g} (are single voxels far too bright?)"
            )
        return None
