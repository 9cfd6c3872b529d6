"""Reading a volume slab by slab, so that checking or converting a large file needs little memory."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.data import NibabelReader
from monai.data.utils import correct_nifti_header_if_necessary
from monai.transforms import EnsureChannelFirst, LoadImage
from monai.utils import ensure_tuple
from nibabel.fileholders import FileHolder
from numpy.typing import NDArray

from seat_components.data.compressed import read_to_end, require_sound

NIFTI = (".nii", ".nii.gz")
SLAB_BYTES = 2**24

# Limits that keep a header which states nonsense from taking the memory, or hours.
MOST_ALONG_AXIS = 2**13
MOST_VOXELS = 2**31  # all channels together
MOST_HEADER = 2**24  # bytes before the voxels; extensions of the header are read at once
MOST_BEHIND = 2**20  # bytes behind the voxels
_DEFLATE = 1032  # a byte of a gzip file unpacks to that many at most

_HEADERS: dict[int, type[Any]] = {348: nib.Nifti1Image, 540: nib.Nifti2Image}

Array = NDArray[Any]


@dataclass(frozen=True)
class Volume:
    """A volume whose values are read when asked for.

    Attributes:
        channels: how many there are; 1 where the file has no channel axis.
        shape: voxels along the spatial axes.
        affine: from voxel indices to mm, (4, 4).
        spacing: as the header states it, in mm.
        slabs: gives the values, each once, in pieces of some shape.
    """

    channels: int
    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    spacing: tuple[float, ...]
    slabs: Callable[[], Iterator[Array]]


def open_volume(path: str) -> Volume:
    """The volume in the file or DICOM folder ``path``. A NIfTI file is read slab by slab, others are read at once.

    Compressed files are read to their end, so that damage is an error: here, or after the last of the ``slabs``.

    Raises:
        Exception: what the reading library raises for a file that is missing or no image, ValueError among it.
    """
    return _open_nifti(path) if str(path).lower().endswith(NIFTI) else _load(path)


def open_nifti(path: str | Path) -> Any:
    """The nibabel image in a NIfTI file, whose voxels are read when asked for; see ``iterate_slabs``.

    A compressed file is unpacked through a stream of ours, which stays open: slab after slab is unpacked once.

    Raises:
        ValueError: if the header is not NIfTI's, or states more than the file can hold or than any scan has.
        OSError, zlib.error: if the file cannot be read or unpacked.
    """
    kind, header = _stated_header(path)
    packed = _is_packed(path)
    size = Path(path).stat().st_size
    _require_possible(header, (size + 1) * _DEFLATE if packed else size)
    stream = gzip.GzipFile(path) if packed else None
    return kind.from_file_map({"image": FileHolder(str(path), stream)})


def iterate_slabs(image: Any, slab_bytes: int = SLAB_BYTES) -> Iterator[tuple[slice, Array]]:
    """The values of a nibabel image along its last axis: (where, values), about ``slab_bytes`` each.

    Of an image from ``open_nifti`` whose file is compressed, the rest of the file is read after the last slab. (Of
    another one, open it with ``keep_file_open=True``: otherwise every slab unpacks a file from its beginning.)

    Raises:
        gzip.BadGzipFile, zlib.error, EOFError: if the compressed data are damaged or cut off.
        ValueError: if the file goes on for more than 1 MiB behind the voxels.
    """
    *across, depth = image.shape
    # Scaled values come as float64.
    step = max(1, slab_bytes // max(8 * int(np.prod(across)), 1))
    for start in range(0, depth, step):
        place = slice(start, min(start + step, depth))
        yield place, np.asanyarray(image.dataobj[..., place])
    if (stream := image.file_map["image"].fileobj) is not None:
        read_to_end(stream, MOST_BEHIND)


class LabelReader(NibabelReader):
    """MONAI's NIfTI reader for labels: whole numbers from 0 to 255, read slab by slab into uint8.

    A label file of 2 GB in float64 so takes an eighth of that, and never more.

    Raises:
        ValueError: when reading, if a value is none of these, or as ``iterate_slabs`` for a damaged file.
    """

    def read(self, data: Any, **_: Any) -> Any:
        """Open the file, or each of a list of files; no voxels are read yet."""
        self.filenames = ensure_tuple(data)
        images = [correct_nifti_header_if_necessary(open_nifti(name)) for name in self.filenames]
        return images if len(images) > 1 else images[0]

    def _get_array_data(self, img: Any, filename: Any) -> Array:
        label = np.empty(img.shape, dtype=np.uint8, order="F")
        for place, values in iterate_slabs(img):
            whole = as_bytes(values)
            if whole is None:
                raise ValueError(f"{filename} has label values that are not whole numbers from 0 to 255.")
            label[..., place] = whole
        return label


def as_bytes(values: Array) -> NDArray[np.uint8] | None:
    """``values`` as uint8, or None where that would change one."""
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.uint8)
    return whole if np.array_equal(whole, values) else None


def _open_nifti(path: str) -> Volume:
    image = open_nifti(path)
    # As it stands in the file: nibabel and MONAI mend a wrong one in silence.
    spacing = tuple(float(size) for size in _stated_header(path)[1]["pixdim"][1:4])
    image = correct_nifti_header_if_necessary(image)
    shape: Sequence[int] = image.shape
    return Volume(
        channels=shape[-1] if len(shape) > 3 else 1,
        shape=tuple(shape[:-1] if len(shape) > 3 else shape),
        affine=np.asarray(image.affine, dtype=np.float64),
        spacing=spacing,
        slabs=lambda: (values for _, values in iterate_slabs(image)),
    )


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


def _load(path: str) -> Volume:
    require_sound(path)
    volume = EnsureChannelFirst()(LoadImage(dtype=None)(path))
    return Volume(
        channels=volume.shape[0],
        shape=tuple(volume.shape[1:]),
        affine=volume.affine.numpy().astype(np.float64),
        spacing=tuple(volume.pixdim.tolist()),
        slabs=lambda: iter([volume.numpy()]),
    )
