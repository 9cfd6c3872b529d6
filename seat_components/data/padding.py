"""Padding that leaves the intensity range, and so the attack's budget, as it is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import InvertibleTransform, MapTransform, SpatialPad
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
