"""Writing masks with the geometry, and for NIfTI the header, of the scan they belong to."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import nibabel
import numpy as np
import torch
from monai.data import NibabelWriter

from seat_components.data.nifti_file import NIFTI
from seat_components.files import write_atomically


class MaskWriter(NibabelWriter):
    """Writer for ``SaveImaged``: a uint8 NIfTI mask in the scan's own grid.

    For a NIfTI scan the mask carries the scan's header (both transforms with their codes, units, description); for
    other formats, whose geometry MONAI reads as an affine, that affine, in mm. The file appears whole or not at all.
    """

    def set_data_array(self, data_array: Any, channel_dim: int | None = 0, **_: Any) -> None:
        """Take the mask (1, X, Y, Z), or (X, Y, Z) without channel."""
        mask = torch.as_tensor(data_array).cpu().numpy().astype(np.uint8)
        self.data_obj = mask if channel_dim is None else mask[0]

    def set_metadata(self, meta_dict: Mapping[str, Any] | None, **_: Any) -> None:
        """Take the geometry of the scan; the mask must be in its grid already.

        Raises:
            ValueError: if it is not.
        """
        meta = meta_dict or {}
        self.affine = np.asarray(meta.get("affine", np.eye(4)), dtype=np.float64)
        source = str(meta.get("filename_or_obj", ""))
        self._header: Any = None
        if source.lower().endswith(NIFTI) and Path(source).is_file():
            scan = nibabel.load(source)
            if tuple(scan.shape[:3]) != tuple(self.data_obj.shape):
                raise ValueError(f"The mask has shape {self.data_obj.shape}, but {source} has {scan.shape[:3]}.")
            self._header = scan.header.copy()

    def write(self, filename: Any, verbose: bool = False, **_: Any) -> None:
        """Write the mask."""
        path = Path(filename)
        kind = nibabel.Nifti2Image if isinstance(self._header, nibabel.Nifti2Header) else nibabel.Nifti1Image
        image = kind(self.data_obj, None if self._header is not None else self.affine, self._header)
        if self._header is None:
            # The affine of other formats is in the scanner's world, in mm.
            for set_form in (image.set_sform, image.set_qform):
                set_form(self.affine, "scanner")
            image.header.set_xyzt_units("mm")
        image.set_data_dtype(np.uint8)
        # The scan's display window would make labels 1, 2, … invisible.
        image.header["cal_min"] = image.header["cal_max"] = 0
        write_atomically(path, lambda stream: _write(image, stream, path.name.endswith(".gz")))
        if verbose:
            print(path)


def _write(image: nibabel.Nifti1Image, stream: IO[bytes], compressed: bool) -> None:
    if not compressed:
        image.to_stream(stream)
        return
    # As nibabel does it, and without a time, so that equal masks are equal files.
    with gzip.GzipFile("", "wb", 1, stream, mtime=0) as packed:
        image.to_stream(packed)
