"""Opening a NIfTI file such that a header which states nonsense, or damage, takes neither memory nor hours."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import nibabel as nib
from nibabel.fileholders import FileHolder

from seat_components.data.compressed import read_to_end
from seat_components.data.slabs import ScanError

PAIR = ".hdr"
NIFTI = (".nii", ".nii.gz", PAIR)
MOST_ALONG_AXIS = 2**13
MOST_VOXELS = 2**31  # all channels together
MOST_HEADER = 2**24  # bytes before the voxels; extensions of the header are read at once
MOST_BEHIND = 2**20  # bytes behind the voxels
_DEFLATE = 1032  # a byte of a gzip file unpacks to that many at most

_HEADERS: dict[int, type[Any]] = {348: nib.Nifti1Image, 540: nib.Nifti2Image}
_PAIRS: dict[type[Any], type[Any]] = {nib.Nifti1Image: nib.Nifti1Pair, nib.Nifti2Image: nib.Nifti2Pair}
_PAIR_MAGIC = (b"ni1", b"ni2")


def open_image(path: str | Path) -> tuple[Any, Any]:
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
    _require_possible(header, (size + 1) * _DEFLATE if packed else size)
    stream = gzip.GzipFile(path) if packed else None
    return kind.from_file_map({"image": FileHolder(str(path), stream)}), header


def require_end(image: Any) -> None:
    """Read what is left of a compressed file behind the voxels, so that its checksum is compared.

    Raises:
        gzip.BadGzipFile, zlib.error, EOFError: if the compressed data are damaged or cut off.
        ValueError: if the file goes on for more than 1 MiB behind the voxels.
    """
    if (stream := image.file_map["image"].fileobj) is not None:
        read_to_end(stream, MOST_BEHIND)


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


def _require_possible(header: Any, most_bytes: int) -> None:
    """Raise ValueError where a header states a size that no scan has, or that its file cannot hold."""
    dims = [int(size) for size in header["dim"]]
    shape = dims[1 : 1 + dims[0]]
    if not (0 < dims[0] <= 7 and all(0 < size <= MOST_ALONG_AXIS for size in shape)):
        raise ValueError(f"its header states the shape {shape}, but every axis must have 1 to {MOST_ALONG_AXIS} voxels")
    voxels = math.prod(shape)
    if voxels > MOST_VOXELS:
        raise ValueError(f"its header states the shape {shape}, which are more than {MOST_VOXELS} voxels")
    start = float(header["vox_offset"])
    if not 0 <= start <= MOST_HEADER:
        raise ValueError(
            f"its header states that voxels begin at byte {start:g}, but {MOST_HEADER} is the most allowed"
        )
    if (stated := int(start) + voxels * header.get_data_dtype().itemsize) > most_bytes:
        raise ValueError(f"its header states {stated} bytes, but the file can hold {most_bytes} at most: truncated")
