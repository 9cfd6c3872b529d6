"""Reading a volume slab by slab, so that checking or converting a large file needs little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from monai.data import NibabelReader
from monai.transforms import EnsureChannelFirst, LoadImage
from nibabel.openers import ImageOpener
from numpy.typing import NDArray

NIFTI = (".nii", ".nii.gz")
SLAB_BYTES = 2**24

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

    Raises:
        Exception: what the reading library raises for a file that is missing or no image.
    """
    return _open_nifti(path) if str(path).lower().endswith(NIFTI) else _load(path)


def iterate_slabs(image: Any, slab_bytes: int = SLAB_BYTES) -> Iterator[tuple[slice, Array]]:
    """The values of a nibabel image along its last axis: (where, values), about ``slab_bytes`` each.

    Open the image with ``keep_file_open=True``: otherwise every slab unpacks a compressed file from its beginning.
    """
    *across, depth = image.shape
    # Scaled values come as float64.
    step = max(1, slab_bytes // max(8 * int(np.prod(across)), 1))
    for start in range(0, depth, step):
        place = slice(start, min(start + step, depth))
        yield place, np.asanyarray(image.dataobj[..., place])


class LabelReader(NibabelReader):
    """MONAI's NIfTI reader for labels: whole numbers from 0 to 255, read slab by slab into uint8.

    A label file of 2 GB in float64 so takes an eighth of that, and never more.

    Raises:
        ValueError: when reading, if a value is none of these.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, keep_file_open=True)

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
    spacing = _header_spacing(path)
    image = NibabelReader(keep_file_open=True).read(path)
    shape: Sequence[int] = image.shape
    return Volume(
        channels=shape[-1] if len(shape) > 3 else 1,
        shape=tuple(shape[:-1] if len(shape) > 3 else shape),
        affine=np.asarray(image.affine, dtype=np.float64),
        spacing=spacing,
        slabs=lambda: (values for _, values in iterate_slabs(image)),
    )


def _header_spacing(path: str) -> tuple[float, ...]:
    """As it stands in the file: nibabel would mend a wrong one in silence."""
    header_type = type(nib.load(path).header)
    with ImageOpener(path) as stream:
        header = header_type.from_fileobj(stream, check=False)
    return tuple(float(size) for size in header["pixdim"][1:4])


def _load(path: str) -> Volume:
    volume = EnsureChannelFirst()(LoadImage(dtype=None)(path))
    return Volume(
        channels=volume.shape[0],
        shape=tuple(volume.shape[1:]),
        affine=volume.affine.numpy().astype(np.float64),
        spacing=tuple(volume.pixdim.tolist()),
        slabs=lambda: iter([volume.numpy()]),
    )
