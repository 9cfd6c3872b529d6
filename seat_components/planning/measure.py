"""Measuring one case: sizes and spacing, the objects of each class, intensities of the foreground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seat_components.data import open_scan
from seat_components.data.geometry import edge_lengths
from seat_components.data.index import CaseFiles
from seat_components.data.slabs import Volume
from seat_components.planning.intensities import CT_RANGE, UNIT_RANGE, Intensities

_NEGLIGIBLE_SHARE = 0.05  # of the largest component's volume; smaller ones are not counted
_NEIGHBOURS_26 = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class ObjectSize:
    """The mean component of a class in one case.

    Attributes:
        size: edges of the bounding box along the three axes.
        volume: the component's volume, in the same unit cubed.
    """

    size: tuple[float, float, float]
    volume: float

    def scaled(self, factors: tuple[float, float, float]) -> ObjectSize:
        """The same object in another unit, ``factors`` of which make the old one along each axis."""
        x, y, z = (edge * factor for edge, factor in zip(self.size, factors, strict=True))
        return ObjectSize((x, y, z), self.volume * float(np.prod(factors)))


def object_sizes(label: NDArray[Any], classes: int) -> dict[int, ObjectSize]:
    """The mean component of each class in a label (H, W, D), in voxels, for those foreground classes it shows.

    Components are 26-connected; those of at most 5 % of the class's largest in this label are left out. Each class
    is looked at within its bounding box only, which bounds the memory to one such box.

    Source: the published fingerprints of ROG (Daza et al., MICCAI 2021), but for the box: theirs is that of the last
    component, this one the mean over components.
    """
    found = {}
    for value, box in enumerate(ndimage.find_objects(label, max_label=classes - 1), start=1):
        if box is None:
            continue
        components, _ = ndimage.label(label[box] == value, structure=_NEIGHBOURS_26)
        volumes = np.bincount(components.ravel())[1:]
        kept = np.flatnonzero(volumes > _NEGLIGIBLE_SHARE * volumes.max())
        boxes = ndimage.find_objects(components)
        edges = np.array([[axis.stop - axis.start for axis in boxes[index]] for index in kept])
        x, y, z = (float(edge) for edge in edges.mean(axis=0))
        found[value] = ObjectSize((x, y, z), float(volumes[kept].mean()))
    return found


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


def measure_case(case: CaseFiles, channels: int, classes: int, is_ct: bool) -> CaseMeasure:
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
