"""Intensity transforms that MONAI lacks: clipping per channel, and a random constant added per channel."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from numpy.typing import NDArray
from torch import Tensor

from seat_components.refusals import refuse


class ClipIntensityd(MapTransform):
    """Clip every channel to its own interval, such as the task's published [p0.5, p99.5].

    Args:
        keys: the entries to clip, tensors of shape (C, *spatial).
        lower, upper: one bound per channel, in the image's intensity units.
        allow_missing_keys: pass over keys that a sample lacks.

    Raises:
        ValueError: if the bounds differ in number or are not in ascending order; when called, if an image has
            another number of channels.
    """

    def __init__(
        self,
        keys: KeysCollection,
        lower: Sequence[float],
        upper: Sequence[float],
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(lower) != len(upper) or not all(low < high for low, high in zip(lower, upper, strict=False)):
            raise ValueError(f"lower {lower} and upper {upper} must pair up, one per channel, lower < upper")
        self.lower, self.upper = tuple(lower), tuple(upper)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with the keys' images clipped."""
        result = dict(data)
        for key in self.key_iterator(result):
            image = result[key]
            if image.shape[0] != len(self.lower):
                scan = getattr(image, "meta", {}).get("filename_or_obj", f"'{key}'")
                refuse(f"{scan} has {image.shape[0]} channels, but bounds are given for {len(self.lower)}")
            lower, upper = (_per_channel(bound, image) for bound in (self.lower, self.upper))
            result[key] = torch.clamp(image, lower, upper)
        return result


class RandGaussianBrightnessd(RandomizableTransform, MapTransform):
    """With probability ``prob``, add to every channel its own constant, drawn from N(0, ``std``²).

    Args:
        keys: the entries to change, float tensors of shape (C, *spatial), usually normalised to unit variance.
        prob: how often.
        std: standard deviation of the constant, in the image's intensity units.
        allow_missing_keys: pass over keys that a sample lacks.

    Source: the additive brightness N(0, 1), p 0.2, of "Data, as published" for SEAT (MICCAI 2023).
    """

    def __init__(
        self, keys: KeysCollection, prob: float = 0.2, std: float = 1.0, allow_missing_keys: bool = False
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.std = std

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with the keys' images made brighter or darker, or as they are."""
        result = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return result
        for key in self.key_iterator(result):
            image = result[key]
            shift: NDArray[np.float64] = self.R.normal(0.0, self.std, size=image.shape[0])
            result[key] = image + _per_channel(shift.tolist(), image)
        return result


def _per_channel(values: Sequence[float], image: Tensor) -> Tensor:
    """``values`` as a plain tensor (C, 1, …) that broadcasts against ``image`` (C, *spatial)."""
    plain = torch.as_tensor(values, dtype=image.dtype, device=image.device)
    return plain.reshape(-1, *([1] * (image.ndim - 1)))
