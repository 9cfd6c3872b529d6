"""Opening NIfTI files: the affine that nibabel calls best, and a remark where the header contradicts itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nibabel as nib
import numpy as np

from seat_components.data.geometry import Affine, affine_fault, corner_shift, edge_lengths, numbers
from seat_components.data.nifti_file import open_image, require_end
from seat_components.data.notices import notice
from seat_components.data.slabs import Array, ScanError, Slab, Volume, split

SPACING_ROUNDING = 1e-4  # relative; pixdim and sform are float32, and some programs write four digits
FORMS_APART = 0.1  # of a voxel
_TO_MM = {"meter": 1000.0, "micron": 0.001}


def open_nifti(path: str) -> Volume:
    """The volume in a NIfTI-1 or NIfTI-2 file, single or a ``.hdr``/``.img`` pair.

    Raises:
        ScanError: for Analyze files, colour, complex and vector images.
        Exception: what ``open_image`` and nibabel raise for a file that is missing, damaged or no image.
    """
    image, stated = open_image(path)
    shape = _squeezed(image.shape)
    if image.get_data_dtype().names:
        raise ScanError("is an RGB colour image, but a scan has one intensity per voxel and channel")
    if image.get_data_dtype().kind == "c":
        raise ScanError("has complex values, but they must be real numbers: take the magnitude")
    affine = np.asarray(image.affine, dtype=np.float64)
    spacing = tuple(float(size) for size in stated["pixdim"][1:4])
    if affine_fault(affine) is None:
        _remark(path, image.header, affine, spacing, shape[:3])
    in_mm = _TO_MM.get(image.header.get_xyzt_units()[0], 1.0)

    def values(channel: int, place: slice) -> Array:
        # Of a scaled file these are float64.
        further = (channel,) if len(shape) > 3 else ()
        return np.asanyarray(image.dataobj[(..., place, *further, *(0,) * (image.ndim - len(shape)))])

    channels = shape[3] if len(shape) > 3 else 1

    def slabs() -> Iterator[Slab]:
        yield from split(values, shape, channels)
        require_end(image)

    return Volume(
        channels=channels,
        shape=shape[:3],
        affine=np.diag([in_mm, in_mm, in_mm, 1.0]) @ affine,
        spacing=tuple(in_mm * size for size in spacing),
        slabs=slabs,
    )


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(x, y, z) or (x, y, z, channels): further axes of length 1 say nothing."""
    if len(shape) < 3:
        raise ScanError(f"is not a 3D volume: its shape is {shape}")
    if any(size != 1 for size in shape[4:]):
        raise ScanError(
            f"has shape {shape}: a vector image, or one with more axes than space and channels. A scan has shape "
            "(x, y, z) or (x, y, z, channels)"
        )
    return shape[:4] if len(shape) > 3 and shape[3] != 1 else shape[:3]


def _remark(path: str, header: Any, affine: Affine, spacing: tuple[float, ...], shape: tuple[int, ...]) -> None:
    """Say where pixdim, qform and sform contradict one another, with both readings and the one taken."""
    (sform, s_code), (qform, q_code) = header.get_sform(coded=True), header.get_qform(coded=True)
    axes = "".join(code or "?" for code in nib.aff2axcodes(affine))
    unit = header.get_xyzt_units()[0]
    if unit in _TO_MM:
        notice(path, f"states its lengths in the unit {unit}; they are converted to mm.")
    if not s_code and not q_code:
        notice(
            path,
            f"states no orientation (sform and qform have code 0): its axes are taken to be {axes}, as pixdim alone "
            "is read; whether left is left, the file does not say.",
        )
    if np.abs(edge_lengths(affine) / np.maximum(spacing, 1e-9) - 1).max() > SPACING_ROUNDING:
        taken = "sform" if s_code else "qform"
        notice(
            path,
            f"contradicts itself on its spacing: pixdim says {numbers(spacing)} mm, the {taken} "
            f"{numbers(edge_lengths(affine))} mm. The {taken} is taken.",
        )
    if s_code and q_code and (shift := corner_shift(sform, qform, shape)) > FORMS_APART:
        other = "".join(code or "?" for code in nib.aff2axcodes(qform))
        notice(
            path,
            f"contradicts itself on where it lies: its sform (axes {axes}, first voxel at {_point(sform)} mm) and its "
            f"qform (axes {other}, {_point(qform)} mm) are up to {shift:.3g} voxels apart. The sform is taken.",
        )


def _point(affine: Affine) -> str:
    return ", ".join(f"{value:.6g}" for value in affine[:3, 3])
