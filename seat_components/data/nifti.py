"""Opening NIfTI files: their headers are doubted before memory or hours are spent, and their contradictions said."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.fileholders import FileHolder

from seat_components.data.compressed import read_to_end
from seat_components.data.geometry import Affine, affine_fault, corner_shift, edge_lengths, numbers
from seat_components.data.notices import notice
from seat_components.data.slabs import Array, ScanError, Slab, Volume, split

PAIR = ".hdr"
NIFTI = (".nii", ".nii.gz", PAIR)
_MOST_ALONG_AXIS = 2**13
_MOST_VOXELS = 2**31  # all channels together
_MOST_HEADER = 2**24  # bytes before the voxels; extensions of the header are read at once
_EXTENDER = 4  # bytes between a header and what follows in the same file
_MOST_BEHIND = 2**20  # bytes behind the voxels
_DEFLATE = 1032  # a byte of a gzip file unpacks to that many at most

_HEADERS: dict[int, type[Any]] = {348: nib.Nifti1Image, 540: nib.Nifti2Image}
_PAIRS: dict[type[Any], type[Any]] = {nib.Nifti1Image: nib.Nifti1Pair, nib.Nifti2Image: nib.Nifti2Pair}
_PAIR_MAGIC = (b"ni1", b"ni2")


def _open_image(path: str | Path) -> tuple[Any, Any]:
    """The nibabel image in a NIfTI file, whose voxels are read when asked for, and its header as it stands there.

    A compressed file is unpacked through a stream of ours, which stays open: what is read in the file's order is
    unpacked once. nibabel mends the image's own header in silence.

    Raises:
        ValueError: if the header is not NIfTI's, or states more than the file can hold or than any scan has.
        OSError, zlib.error: if the file cannot be read or unpacked.
    """
    kind, header = _stated_header(path)
    if str(path).lower().endswith(PAIR):
        return _open_pair(Path(path), _PAIRS[kind], header), header
    packed = _is_packed(path)
    size = Path(path).stat().st_size
    _require_possible(header, (size + 1) * _DEFLATE if packed else size, first=header.sizeof_hdr + _EXTENDER)
    stream = gzip.GzipFile(path) if packed else None
    return kind.from_file_map({"image": FileHolder(str(path), stream)}), header


def image_header(path: str | Path) -> Any:
    """A copy of a NIfTI file's header, its extensions included, as nibabel mends it; of whatever letters its ending is.

    Raises:
        ValueError, OSError, zlib.error: if the file is none, or cannot be read.
    """
    return _open_image(path)[0].header.copy()


def _require_end(image: Any) -> None:
    """Read what is left of a compressed file behind the voxels, so that its checksum is compared.

    Raises:
        gzip.BadGzipFile, zlib.error, EOFError: if the compressed data are damaged or cut off.
        ValueError: if the file goes on for more than 1 MiB behind the voxels.
    """
    if (stream := image.file_map["image"].fileobj) is not None:
        read_to_end(stream, _MOST_BEHIND)


def companion(path: Path) -> Path | None:
    """The file with the voxels of a ``.hdr``, if it is there."""
    return next((file for end in (".img", ".IMG") if (file := path.with_suffix(end)).is_file()), None)


def _open_pair(path: Path, kind: type[Any], header: Any) -> Any:
    if bytes(header["magic"].item()[:3]) not in _PAIR_MAGIC:
        raise ScanError("is in Analyze format, which states no orientation: convert it to NIfTI")
    voxels = companion(path)
    if voxels is None:
        raise ScanError(f"has no {path.stem}.img beside it, where its voxels would be")
    _require_possible(header, voxels.stat().st_size)
    return kind.from_file_map({"header": FileHolder(str(path)), "image": FileHolder(str(voxels))})


def _is_packed(path: str | Path) -> bool:
    return str(path).lower().endswith(".gz")


def _stated_header(path: str | Path) -> tuple[type[Any], Any]:
    """The kind of a NIfTI file, and its header as it stands there, unmended and without extensions."""
    with gzip.GzipFile(path) if _is_packed(path) else Path(path).open("rb") as stream:
        start = stream.read(4)
        known = {int.from_bytes(start, order) for order in ("little", "big")} & _HEADERS.keys()
        if len(start) < 4 or not known:
            raise ValueError("it does not begin with the header of a NIfTI file")
        kind, size = _HEADERS[min(known)], min(known)
        return kind, kind.header_class(start + stream.read(size - 4), check=False)


def _require_possible(header: Any, most_bytes: int, first: int = 0) -> None:
    """Raise ValueError where a header states a size that no scan has, or voxels that its file cannot hold.

    Args:
        header: of the file.
        most_bytes: that the file with the voxels can have.
        first: the byte of that file from which on there can be voxels.
    """
    dims = [int(size) for size in header["dim"]]
    shape = dims[1 : 1 + dims[0]]
    if not (0 < dims[0] <= 7 and all(0 < size <= _MOST_ALONG_AXIS for size in shape)):
        raise ValueError(
            f"its header states the shape {shape}, but every axis must have 1 to {_MOST_ALONG_AXIS} voxels"
        )
    voxels = math.prod(shape)
    if voxels > _MOST_VOXELS:
        raise ValueError(f"its header states the shape {shape}, which are more than {_MOST_VOXELS} voxels")
    start = float(header["vox_offset"])
    if not first <= start <= _MOST_HEADER:
        raise ValueError(
            f"its header states that voxels begin at byte {start:g}, but it must be {first} to {_MOST_HEADER}"
        )
    if (stated := int(start) + voxels * header.get_data_dtype().itemsize) > most_bytes:
        raise ValueError(f"its header states {stated} bytes, but the file can hold {most_bytes} at most: truncated")


_SPACING_ROUNDING = 1e-4  # relative; pixdim and sform are float32, and some programs write four digits
FORMS_APART = 0.1  # of a voxel
_TO_MM = {"meter": 1000.0, "micron": 0.001}


def open_nifti(path: str) -> Volume:
    """The volume in a NIfTI-1 or NIfTI-2 file, single or a ``.hdr``/``.img`` pair.

    Raises:
        ScanError: for Analyze files, colour, complex and vector images.
        Exception: what ``_open_image`` and nibabel raise for a file that is missing, damaged or no image.
    """
    image, stated = _open_image(path)
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
        _require_end(image)

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
    (sform, s_code), (qform, q_code) = header.get_sform(coded=True), _qform(path, header)
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
    if np.abs(edge_lengths(affine) / np.maximum(spacing, 1e-9) - 1).max() > _SPACING_ROUNDING:
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


def _qform(path: str, header: Any) -> tuple[Affine, int]:
    """The qform and its code; code 0 where it is none, which matters to no file whose affine is the sform."""
    try:
        qform, code = header.get_qform(coded=True)
    except ValueError as error:  # a quaternion longer than 1, if by rounding alone
        notice(path, f"has a qform that is no rotation ({error}). The sform is taken.")
        return np.eye(4), 0
    return qform, code


def _point(affine: Affine) -> str:
    return ", ".join(f"{value:.6g}" for value in affine[:3, 3])
