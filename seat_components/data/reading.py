"""The one reader of scans and labels, for checks, planning, training, evaluation, inference and MONAI Label.

Its rules:

- NIfTI (``.nii``, ``.nii.gz``, ``.hdr`` with ``.img``): the affine is the sform if its code is not 0, else the qform if
  its code is not 0, else pixdim alone. Where pixdim and the affine taken disagree by more than rounding (1e-4), or
  qform and sform, both coded, by more than 0.1 voxel in a corner, or where the file states no orientation, one warning
  says so. Axes of length 1 after the third are dropped; Analyze, colour, complex and vector files are refused.
- NRRD and MetaImage (``.nrrd``, ``.nhdr``, ``.mha``, ``.mhd``): by ITK. Colour and vector files are refused.
- DICOM (a folder, or a multi-frame file): all slices and frames of one series, in whatever order, must have one
  orientation, size and pixel spacing, distinct positions, equal steps along their normal (to 0.1 of a step) and no
  drift in plane (0.1 of a pixel). An exact duplicate is dropped with a line. Anything else, and a choice among several
  series that is not made, is refused with the numbers; so are MONOCHROME1 and a Modality LUT, of which GDCM makes other
  values.
- Several files (``case_{0000,0001}.nii.gz``) are the channels of one scan, and must lie on one grid.
- Labels: one channel of whole numbers from 0 to 255, to within 1e-3.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import ImageReader

from seat_components.data.dicom import open_dicom
from seat_components.data.dicom_series import Choice, is_dicom
from seat_components.data.geometry import corner_shift
from seat_components.data.itk_files import META_IMAGE, NRRD, open_itk
from seat_components.data.nifti import FORMS_APART, NIFTI, open_nifti
from seat_components.data.slabs import Array, ScanError, Slab, Volume, strange_values
from seat_components.scan_files import channel_files

FORMATS = (*NIFTI, *NRRD, *META_IMAGE)
_RULES = 1
"""Counts up when a file may be read otherwise than before: volumes cached under other rules are not used."""


def open_scan(path: str | Path, series: Choice = None) -> Volume:
    """The volume in a file or DICOM folder, by the rules of this module. NIfTI files are read slab by slab.

    Args:
        path: the file or folder, or the files of a scan's channels (see ``channel_files``).
        series: which of a folder's DICOM series, where there are several (see ``choose_series``).

    Raises:
        ScanError: if it must not be used; the message is the rule.
        Exception: what the reading library raises for a file that is missing, damaged or no image.
    """
    if len(files := channel_files(path)) > 1:
        return _stacked(files, [_opened(file) for file in files])
    name = str(path).lower()
    if Path(path).is_dir():
        return open_dicom(str(path), series)
    if name.endswith(NIFTI):
        return open_nifti(str(path))
    if name.endswith((*NRRD, *META_IMAGE)):
        return open_itk(str(path))
    if is_dicom(Path(path)):
        return open_dicom(str(path), series)
    raise ScanError(f"is of no format that is read: {', '.join(FORMATS)}, or DICOM")


def _opened(file: str, series: Choice = None) -> Volume:
    """One of the files of a scan."""
    try:
        return open_scan(file, series)
    except ScanError as error:
        raise ScanError(f"cannot be used: {Path(file).name} {error}") from error


def _stacked(files: Sequence[str], volumes: Sequence[Volume]) -> Volume:
    """The volumes as channels of one, in their order."""
    first = volumes[0]
    for file, other in zip(files[1:], volumes[1:], strict=True):
        if other.shape != first.shape or corner_shift(first.affine, other.affine, first.shape) > FORMS_APART:
            raise ScanError(f"cannot be used: {Path(file).name} lies on another grid than {Path(files[0]).name}")

    def slabs() -> Iterator[Slab]:
        before = 0
        for volume in volumes:
            for channel, place, slab in volume.slabs():
                yield before + channel, place, slab
            before += volume.channels

    return replace(first, channels=sum(volume.channels for volume in volumes), slabs=slabs)


class ScanReader(ImageReader):
    """``open_scan`` as a reader for MONAI's ``LoadImaged``.

    Args:
        labels: whether files are labels, which are read as uint8; scans are read as float32.
        values: those that a label may have; None for any. What MONAI Label trains on was checked by nobody before.
        series: which DICOM series of a folder (see ``choose_series``).

    A list of files is stacked as channels; they must lie on one grid.
    """

    def __init__(
        self, labels: bool = False, series: Choice = None, values: Collection[int | str] | None = None
    ) -> None:
        super().__init__()
        self.labels = labels
        self.values = None if values is None else sorted(int(value) for value in values)
        self.series = series
        self.rules = _RULES  # among the settings that a disk cache's key is made of

    def verify_suffix(self, filename: Any) -> bool:  # noqa: ARG002 - MONAI's interface
        """True: what is of no known format is refused when it is read."""
        return True

    def read(self, data: Sequence[str | Path] | str | Path, **_: Any) -> list[str]:
        """The paths alone: if this raised, ``LoadImage`` would go on to other readers, with other rules."""
        return [str(data)] if isinstance(data, str | Path) else [str(path) for path in data]

    def get_data(self, img: Sequence[str]) -> tuple[Array, dict[str, Any]]:
        """The values, (X, Y, Z) or (X, Y, Z, channels), and MONAI's description of the grid.

        Raises:
            ScanError: if a file must not be used, naming it and the rule.
            Exception: what the reading library raises.
        """
        try:
            volume, values = self._read(img)
        except ScanError as error:
            fault = str(error)
        else:
            return values, _grid(volume, values)
        # Outside of the handler: what ends a run is said by its first cause, which then is the one with the name.
        raise ScanError(f"{img[0]} {fault}.")

    def _read(self, img: Sequence[str]) -> tuple[Volume, Array]:
        if len(img) > 1:
            volume = _stacked(img, [_opened(path, self.series) for path in img])
        else:
            volume = open_scan(img[0], self.series)
        if not self.labels:
            return volume, volume.whole()
        values = volume.whole_label()
        if self.values is not None:
            found = np.flatnonzero(np.bincount(values.ravel(), minlength=1)).tolist()
            if fault := strange_values(found, self.values):
                raise ScanError(fault)
        return volume, values


def _grid(volume: Volume, values: Array) -> dict[str, Any]:
    """MONAI's description of the grid."""
    return {
        "affine": volume.affine.copy(),
        "original_affine": volume.affine.copy(),
        "spatial_shape": np.array(volume.shape),
        "original_channel_dim": -1 if values.ndim > 3 else float("nan"),
        "space": "RAS",
    }
