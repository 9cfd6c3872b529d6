"""Opening NRRD and MetaImage files, by ITK and by name: other readers that happen to be installed change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import itk
import numpy as np

from seat_components.data.compressed import require_sound
from seat_components.data.notices import notice
from seat_components.data.slabs import Array, ScanError, Slab, Volume, split

NRRD = (".nrrd", ".nhdr")
META_IMAGE = (".mha", ".mhd")
_ANATOMICAL = ("right-anterior-superior", "left-anterior-superior", "left-posterior-superior")
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def open_itk(path: str) -> Volume:
    """The volume in a NRRD or MetaImage file; its values are read at once.

    Raises:
        ScanError: for colour, complex and vector images, and for other than three spatial axes.
        Exception: what ITK raises for a file that is missing or no image.
    """
    io = (itk.NrrdImageIO if path.lower().endswith(NRRD) else itk.MetaImageIO).New()
    require_sound(path)
    io.SetFileName(path)
    io.ReadImageInformation()
    kind = io.GetPixelTypeAsString(io.GetPixelType())
    if io.GetNumberOfComponents() > 1 or kind != "scalar":
        raise ScanError(
            f"is a {kind} image with {io.GetNumberOfComponents()} values per voxel, but a scan has one intensity per "
            "voxel; several channels come as a 4D NIfTI file"
        )
    dimensions = io.GetNumberOfDimensions()
    shape = tuple(int(io.GetDimensions(axis)) for axis in range(dimensions))
    if dimensions < 3 or any(size != 1 for size in shape[4:]):
        raise ScanError(f"is not a 3D volume: its shape is {shape}")
    if path.lower().endswith(NRRD):
        _remark(path, io)
    spacing = tuple(float(io.GetSpacing(axis)) for axis in range(3))
    affine = np.eye(4)
    affine[:3, :3] = np.stack([np.array(io.GetDirection(axis))[:3] for axis in range(3)], axis=1) @ np.diag(spacing)
    affine[:3, 3] = [io.GetOrigin(axis) for axis in range(3)]
    channels = shape[3] if dimensions > 3 else 1

    def slabs() -> Iterator[Slab]:
        stored: Array = itk.array_view_from_image(itk.imread(path, imageio=io), keep_axes=False).T
        stored = stored.reshape((*shape[:3], channels), order="F")
        yield from split(lambda channel, place: stored[:, :, place, channel], shape, channels)

    return Volume(channels, shape[:3], LPS_TO_RAS @ affine, spacing, slabs)


def _remark(path: str, io: Any) -> None:
    entries = io.GetMetaDataDictionary()
    space = str(entries["NRRD_space"]) if entries.HasKey("NRRD_space") else ""
    if not space.lower().startswith(_ANATOMICAL):
        stated = f"the space '{space}'" if space else "no space"
        notice(path, f"states {stated}, hence not which way it lies in a body: it is read as left-posterior-superior.")


def raw_of(path: Path) -> bool:
    """Whether ``path`` holds the voxels of a header file beside it (``.mhd`` or ``.nhdr``)."""
    stem = path.name.lower().removesuffix(".gz").removesuffix(".raw").removesuffix(".zraw")
    return stem != path.name.lower() and any(path.with_name(path.name[: len(stem)] + end).is_file() for end in _HEADS)


_HEADS = (".mhd", ".nhdr")
