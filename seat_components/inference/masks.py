"""From probabilities to a mask's file: brought into the scan's own grid, named after it, written with its geometry."""

from __future__ import annotations

import gzip
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import IO, Any

import nibabel
import numpy as np
import torch
from monai.data import FolderLayoutBase, NibabelWriter
from monai.transforms import Invertd, MapTransform
from scipy import ndimage

from seat_components.data.nifti import NIFTI, image_header
from seat_components.data.scans import scan_name
from seat_components.files import write_atomically
from seat_components.refusals import refuse
from seat_components.scan_files import channel_files


class InvertToLabelsd(Invertd):
    """Undo the preprocessing on class probabilities, then take the most probable class.

    Interpolating probabilities, instead of labels, keeps boundaries smooth; and a user of the intermediate result,
    such as an uncertainty score, still finds probabilities before this step.

    Args:
        keys: entries with probabilities (K, *spatial).
        transform: the preprocessing to undo.
        orig_keys: the entry whose transforms are undone.
        kept: an entry under which the probabilities in the scan's grid stay too, 0 to 1 and 1 in sum; None for none.

    The result is (1, *spatial), uint8, as MetaTensor with the scan's own affine.
    """

    def __init__(self, keys: Any, transform: Any, orig_keys: Any = "image", kept: str | None = None) -> None:
        super().__init__(keys=keys, transform=transform, orig_keys=orig_keys, nearest_interp=False, to_tensor=True)
        self.kept = kept

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with masks under ``keys``.

        Raises:
            RefusalError: naming the scan, if it, or a probability, is not finite: the most probable class would be any.
        """
        for key, orig_key in self.key_iterator(data, self.orig_keys):
            scan = getattr(data[orig_key], "meta", {}).get("filename_or_obj", orig_key)
            if not torch.isfinite(data[orig_key]).all():
                refuse(f"{scan} has voxels that are NaN or infinite, but intensities must be finite.")
            if not torch.isfinite(data[key]).all():
                refuse(
                    f"{scan}: what the network gives for it is not finite (NaN or infinity), so that no mask follows. "
                    "Try --amp False; if that does not help, train the network anew."
                )
        result: dict[Hashable, Any] = super().__call__(data)
        for key in self.key_iterator(result):
            if self.kept is not None:
                # Cubic interpolation overshoots at boundaries.
                shares = result[key].clamp(0, 1)
                result[self.kept] = shares / shares.sum(dim=0, keepdim=True)
            result[key] = result[key].argmax(dim=0, keepdim=True).to(torch.uint8)
        return result


class LargestComponentd(MapTransform):
    """Keep the largest connected piece of each label in a mask (1, *spatial), and make the others background.

    Voxels that share a corner are connected. MONAI's transform of this kind needs scikit-image.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with changed masks under the keys."""
        result = dict(data)
        for key in self.key_iterator(result):
            mask = result[key].clone()
            for label in torch.unique(mask).tolist():
                where = (torch.as_tensor(mask[0]) == label).cpu().numpy()
                pieces, count = ndimage.label(where, np.ones((3,) * where.ndim))
                if label > 0 and count > 1:
                    largest = np.bincount(pieces[where]).argmax()
                    mask[0, torch.from_numpy(where & (pieces != largest)).to(mask.device)] = 0
            result[key] = mask
        return result


class MaskLayout(FolderLayoutBase):
    """Names masks after their scans, for ``SaveImaged``: ``<output_dir>/<the scan's path in dataset_dir>.nii.gz``.

    Args:
        output_dir: the folder of the masks.
        dataset_dir: the folder of the scans.
        ending: what follows the scan's name; that of another kind of file must not be a mask's.
    """

    def __init__(self, output_dir: str | Path, dataset_dir: str | Path, ending: str = ".nii.gz") -> None:
        self.output_dir = Path(output_dir)
        self.dataset_dir = dataset_dir
        self.ending = ending

    def filename(self, subject: str | Path = "", **_: Any) -> str:
        """The mask's file for the scan ``subject``; its folder is made."""
        file = self.output_dir / f"{scan_name(subject, self.dataset_dir)}{self.ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        return str(file)


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
        source = channel_files(meta.get("filename_or_obj", ""))[0]
        self._header: Any = None
        if source.lower().endswith(NIFTI) and Path(source).is_file():
            self._header = image_header(source)
            shape = tuple(self._header.get_data_shape()[:3])
            if shape != tuple(self.data_obj.shape[:3]):
                raise ValueError(f"The mask has shape {self.data_obj.shape}, but {source} has {shape}.")

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
        image.set_data_dtype(self.data_obj.dtype)
        # The scan's display window would make labels 1, 2, … invisible.
        image.header["cal_min"] = image.header["cal_max"] = 0
        write_atomically(path, lambda stream: _write(image, stream, path.name.endswith(".gz")))
        if verbose:
            print(path)


class ProbabilityWriter(MaskWriter):
    """Writer for ``SaveImaged``: float32 probabilities in the scan's own grid, the classes along the fourth axis."""

    def set_data_array(self, data_array: Any, channel_dim: int | None = 0, **_: Any) -> None:  # noqa: ARG002
        """Take the probabilities (K, X, Y, Z)."""
        self.data_obj = torch.as_tensor(data_array).movedim(0, -1).cpu().numpy().astype(np.float32)


def _write(image: nibabel.Nifti1Image, stream: IO[bytes], compressed: bool) -> None:
    if not compressed:
        image.to_stream(stream)
        return
    # As nibabel does it, and without a time, so that equal masks are equal files.
    with gzip.GzipFile("", "wb", 1, stream, mtime=0) as packed:
        image.to_stream(packed)
