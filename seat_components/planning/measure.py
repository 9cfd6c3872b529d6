"""Measuring one case: sizes and spacing, objects of each class, intensities of the foreground."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from seat_components.data.index import Case
from seat_components.planning.intensities import CT_RANGE, UNIT_RANGE, Intensities
from seat_components.planning.objects import ObjectSize, object_sizes
from seat_components.refusals import refuse

SLICES = 16  # read at a time

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

    The image is read a few slices at a time and never held as a whole; the label is, with one byte per voxel.
    All foreground voxels are counted, none are sampled.

    Args:
        case: the paths of a NIfTI image (H, W, D[, C]) and its label (H, W, D).
        channels: of the image.
        classes: label values, the background's 0 among them.
        is_ct: whether intensities are taken as they are, in Hounsfield units; otherwise each channel of the volume is
            scaled to [0, 1] first.

    Raises:
        RefusalError: if a file is not NIfTI, the format of the MSD.
    """
    image, volume = _open(case["image"]), _open(case["label"])
    label = np.zeros(volume.shape[:3], dtype=np.uint8)
    for where, slab in _slabs(volume, 0):
        label[..., where] = slab
    intensities = []
    for channel in range(channels):
        low, high = (0.0, 1.0) if is_ct else _extremes(image, channel)
        width = high - low if high > low else 1.0  # a constant channel becomes 0, as in training
        summary = Intensities(CT_RANGE if is_ct else UNIT_RANGE)
        for where, slab in _slabs(image, channel):
            summary.add((slab[label[..., where] > 0].astype(np.float64) - low) / width)
        intensities.append(summary)
    # Planned volumes are in RAS orientation: `axes` says where each stored axis goes.
    axes = nib.io_orientation(image.affine)[:, 0].astype(int).tolist()
    objects = object_sizes(label.transpose(np.argsort(axes)), classes)
    return CaseMeasure(
        shape=_in_order(image.shape[:3], axes),
        spacing=_in_order(voxel_sizes(image.affine), axes),
        objects=objects,
        intensities=intensities,
    )


def _open(path: str) -> Any:
    """The NIfTI file behind ``path``, kept open so that reading slab after slab decompresses it once."""
    try:
        return nib.load(path, keep_file_open=True)
    except ImageFileError:
        refuse(f"{path} is not a NIfTI file (.nii, .nii.gz), but an MSD folder holds these: convert it.")


def _slabs(image: Any, channel: int) -> Iterator[tuple[slice, NDArray[Any]]]:
    """The slices (H, W, up to 16) of one channel, one after the other, and where they lie."""
    for start in range(0, image.shape[2], SLICES):
        where = slice(start, min(start + SLICES, image.shape[2]))
        index = (..., where) if image.ndim == 3 else (slice(None), slice(None), where, channel)
        yield where, np.asarray(image.dataobj[index])


def _extremes(image: Any, channel: int) -> tuple[float, float]:
    extremes = [(float(slab.min()), float(slab.max())) for _, slab in _slabs(image, channel)]
    return min(low for low, _ in extremes), max(high for _, high in extremes)


def _in_order(values: Any, axes: list[int]) -> Triple:
    ordered = np.empty(3)
    ordered[axes] = values
    x, y, z = (float(value) for value in ordered)
    return x, y, z
