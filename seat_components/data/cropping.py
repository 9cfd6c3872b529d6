"""Volumes of a needed size: padding that leaves the intensity range as it is, and crops placed by the foreground."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import Crop, InvertibleTransform, MapTransform, SpatialCrop, SpatialPad
from torch import Tensor


class PadDarkestd(MapTransform, InvertibleTransform):
    """Pad volumes that are smaller than ``size``: images with each channel's own minimum, labels with background.

    The volume stays in the middle; axes that are long enough stay as they are. ``Invertd`` cuts the padding off.

    Args:
        keys: the entries to pad, tensors of shape (C, *spatial).
        size: the least number of voxels along each axis.
        label_key: the entry to pad with 0, the background, if it is among the keys.
        allow_missing_keys: pass over keys that a sample lacks.
    """

    def __init__(
        self,
        keys: KeysCollection,
        size: Sequence[int],
        label_key: str | None = "label",
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        self.label_key = label_key
        self.pad = SpatialPad(tuple(size))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with the keys' volumes at least as large as the size."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self._padded(result[key], is_label=key == self.label_key)
        return result

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with the keys' volumes without padding."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.pad.inverse(result[key])
        return result

    def _padded(self, volume: Tensor, is_label: bool) -> Tensor:
        padded: Tensor = self.pad(volume)
        if is_label or padded.shape == volume.shape:
            return padded
        own = torch.as_tensor(self.pad(torch.ones_like(volume[:1]))).bool()
        darkest = torch.as_tensor(volume).flatten(1).amin(dim=1).reshape(-1, *([1] * (volume.ndim - 1)))
        return torch.where(own, padded, darkest)


class CropLongVolumed(MapTransform):
    """Cut volumes of more than ``max_slices`` slices to that many around the foreground (for training only).

    The slices are those of the last axis; the cut is centred on the middle of the foreground's extent as far
    as the volume allows, and on the middle of the volume where there is no foreground.

    Args:
        keys: the entries to cut, tensors of shape (C, H, W, D).
        label_key: the entry whose non-zero voxels are the foreground.
        max_slices: the greatest number of slices to keep.
        allow_missing_keys: pass over keys that a sample lacks.

    Source: "Data, as published" for SEAT (MICCAI 2023).
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_key: str = "label",
        max_slices: int = 300,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label_key = label_key
        self.max_slices = max_slices

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with at most ``max_slices`` slices in the keys' volumes."""
        result = dict(data)
        label = result[self.label_key]
        height, width, depth = label.shape[1:]
        if depth <= self.max_slices:
            return result
        filled = torch.as_tensor(label != 0).any(dim=0).any(dim=0).any(dim=0).nonzero().flatten()
        first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, depth - 1)
        start = _inside((first + last + 1 - self.max_slices) // 2, self.max_slices, depth)
        crop = SpatialCrop(roi_start=(0, 0, start), roi_end=(height, width, start + self.max_slices))
        for key in self.key_iterator(result):
            result[key] = crop(result[key])
        return result


class CropAroundCentreOfMassd(MapTransform, InvertibleTransform):
    """Cut out a patch centred on the foreground's centre of mass.

    The patch is moved inside where it would reach over the volume's border. Where the volume is smaller than
    the patch it is padded as ``PadDarkestd`` does. Without foreground the volume's centre is taken. ``Invertd`` puts
    the patch back to where it was cut out, with 0 around it.

    Args:
        keys: the entries to cut, tensors of shape (C, *spatial).
        size: voxels of the patch along each axis.
        label_key: the entry whose non-zero voxels are the foreground.
        allow_missing_keys: pass over keys that a sample lacks.

    Source: the evaluation of SEAT (MICCAI 2023): one patch per validation case.
    """

    def __init__(
        self,
        keys: KeysCollection,
        size: Sequence[int],
        label_key: str = "label",
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        self.label_key = label_key
        self.size = tuple(size)
        self.crop = Crop()
        self.pad = PadDarkestd(keys, size, label_key, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with patches of ``size`` in place of the keys' volumes."""
        result = dict(data)
        starts = self._starts(torch.as_tensor(result[self.label_key]))
        ends = [start + n for start, n in zip(starts, self.size, strict=True)]
        slices = self.crop.compute_slices(roi_start=starts, roi_end=ends)
        for key in self.key_iterator(result):
            result[key] = self.crop(result[key], slices)
        return self.pad(result)

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with the keys' patches in volumes of their first size."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.crop.inverse(self.pad.pad.inverse(result[key]))
        return result

    def _starts(self, label: Tensor) -> list[int]:
        foreground = label.ne(0).any(dim=0).nonzero().to(torch.float64)
        middle = [(n - 1) / 2 for n in label.shape[1:]]
        centre = foreground.mean(dim=0).tolist() if len(foreground) else middle
        return [
            _inside(round(at - (size - 1) / 2), size, n)
            for at, size, n in zip(centre, self.size, label.shape[1:], strict=True)
        ]


def _inside(start: int, size: int, length: int) -> int:
    """The start of a window of ``size``, moved inside [0, ``length``); 0 where it is larger than that."""
    return max(0, min(start, length - size))
