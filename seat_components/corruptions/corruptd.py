"""Corrupting a case as it is read, before its task's preprocessing, which may undo some of it."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform, Orientationd
from numpy.random import RandomState
from torch import Tensor

from seat_components.corruptions.intensities import INTENSITIES
from seat_components.corruptions.k_space import K_SPACE, require_torchio
from seat_components.corruptions.movements import MOVEMENTS
from seat_components.corruptions.table import CLEAN, corruptions_of


class Corruptd(MapTransform):
    """Do to ``image`` what ``corruption`` and ``severity`` say, and move ``label`` with it.

    A sample holds ``image`` and ``label``, MetaTensors (C, *spatial) as read, beside ``case``, ``corruption`` and
    ``severity``. Severity 0 (``clean``) is left untouched. Each channel is corrupted by itself. Random numbers follow
    from (seed, case, corruption, severity) alone.

    Args:
        ct: whether scans are CT, in HU; else MRI.
        seed: of the random numbers.

    Raises:
        RefusalError: if a corruption needs TorchIO, and it is not installed.
    """

    def __init__(self, ct: bool, seed: int = 0) -> None:
        super().__init__(("image", "label"))
        self.severities = corruptions_of(ct)
        if K_SPACE.keys() & self.severities.keys():
            require_torchio()
        self.seed = seed

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with the image corrupted, in its own type, and the label where the anatomy is then."""
        result = dict(data)
        name, severity = result["corruption"], result["severity"]
        if name == CLEAN:
            return result
        value = float(self.severities[name].values[severity - 1])
        random = RandomState(zlib.crc32(f"{self.seed}/{result['case']}/{name}/{severity}".encode()))
        image = result["image"]
        spacing = [float(step) for step in image.pixdim]
        if name in MOVEMENTS:
            moved = MOVEMENTS[name](value, random, spacing)
            for key, mode in (("image", "bilinear"), ("label", "nearest")):
                result[key] = _as_it_was(moved(result[key].as_tensor(), mode), result[key])
        else:
            channels = image.as_tensor().split(1)
            made = [_transformed(name, channel.clone(), value, random, spacing) for channel in channels]
            result["image"] = _as_it_was(torch.cat(made), image)
        return result

    def placed_in(self, transforms: Sequence[Any]) -> list[Any]:
        """A preprocessing with this in it, where the scan's values are still as read and its axes those of RAS."""
        place = next(place for place, one in enumerate(transforms, start=1) if isinstance(one, Orientationd))
        return [*transforms[:place], self, *transforms[place:]]


def _transformed(name: str, channel: Tensor, value: float, random: RandomState, spacing: Sequence[float]) -> Tensor:
    made: Tensor = {**INTENSITIES, **K_SPACE}[name](channel, value, random, spacing)(channel)
    return made


def _as_it_was(values: Tensor, before: MetaTensor) -> MetaTensor:
    """The values with the type and grid of what they replace: the grid is the scanner's, whatever lies in it."""
    plain = values.as_tensor() if isinstance(values, MetaTensor) else values
    return MetaTensor(plain.to(before.dtype), meta=before.meta, applied_operations=before.applied_operations)
