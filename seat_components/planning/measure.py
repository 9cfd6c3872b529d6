"""Measuring one case: sizes and spacing, objects of each class, intensities of the foreground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np

from seat_components.data import open_scan
from seat_components.data.geometry import edge_lengths
from seat_components.data.index import Case
from seat_components.data.slabs import Volume
from seat_components.planning.intensities import CT_RANGE, UNIT_RANGE, Intensities
from seat_components.planning.objects import ObjectSize, object_sizes

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class CaseMeasure:
    """What one case adds to the fingerprint; axes are those of RAS orientation.

    Attributes:
        shape: voxels along each axis.
        spacing: mm along each axis.
        objects: the mean component of each foreground class that is there, in voxels.
        intensities: of the foreground, one summary per channel.
    """

    shape: Triple
    spacing: Triple
    objects: dict[int, ObjectSize]
    intensities: list[Intensities]


def measure_case(case: Case, channels: int, classes: int, is_ct: bool) -> CaseMeasure:
    """Measure a case that ``check_cases`` has found to be in order.

    The image is read slab by slab and never held as a whole; the label is, with one byte per voxel.
    All foreground voxels are counted, none are sampled.

    Args:
        case: the paths of an image (H, W, D[, C]) and its label (H, W, D).
        channels: of the image.
        classes: label values, the background's 0 among them.
        is_ct: whether intensities are taken as they are, in Hounsfield units; otherwise each channel of the volume is
            scaled to [0, 1] first.
    """
    image, label = open_scan(case["image"]), open_scan(case["label"]).whole_label()
    scales = [(0.0, 1.0)] * channels if is_ct else _scales(image)
    intensities = [Intensities(CT_RANGE if is_ct else UNIT_RANGE) for _ in range(channels)]
    for channel, where, slab in image.slabs():
        low, width = scales[channel]
        intensities[channel].add((slab[label[..., where] > 0].astype(np.float64) - low) / width)
    # Planned volumes are in RAS orientation: `axes` says where each stored axis goes.
    axes = nib.io_orientation(image.affine)[:, 0].astype(int).tolist()
    objects = object_sizes(label.transpose(np.argsort(axes)), classes)
    return CaseMeasure(
        shape=_in_order(image.shape, axes),
        spacing=_in_order(edge_lengths(image.affine), axes),
        objects=objects,
        intensities=intensities,
    )


def _scales(image: Volume) -> list[tuple[float, float]]:
    """The lowest value of each channel, and the width of its range; a constant channel becomes 0, as in training."""
    extremes = [(np.inf, -np.inf)] * image.channels
    for channel, _, slab in image.slabs():
        low, high = extremes[channel]
        extremes[channel] = (min(low, float(slab.min())), max(high, float(slab.max())))
    return [(low, high - low if high > low else 1.0) for low, high in extremes]


def _in_order(values: Any, axes: list[int]) -> Triple:
    ordered = np.empty(3)
    ordered[axes] = values
    x, y, z = (float(value) for value in ordered)
    return x, y, z
