"""How large a class's objects are: its connected components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

NEGLIGIBLE_SHARE = 0.05  # of the largest component's volume; smaller ones are not counted
_NEIGHBOURS_26 = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class ObjectSize:
    """The mean component of a class in one case.

    Attributes:
        size: edges of the bounding box along the three axes.
        volume: the component's volume, in the same unit cubed.
    """

    size: tuple[float, float, float]
    volume: float

    def scaled(self, factors: tuple[float, float, float]) -> ObjectSize:
        """The same object in another unit, ``factors`` of which make the old one along each axis."""
        x, y, z = (edge * factor for edge, factor in zip(self.size, factors, strict=True))
        return ObjectSize((x, y, z), self.volume * float(np.prod(factors)))


def object_sizes(label: NDArray[Any], classes: int) -> dict[int, ObjectSize]:
    """The mean component of each class in a label (H, W, D), in voxels, for those foreground classes it shows.

    Components are 26-connected; those of at most 5 % of the class's largest in this label are left out. Each class
    is looked at within its bounding box only, which bounds the memory to one such box.

    Source: the published fingerprints of ROG (Daza et al., MICCAI 2021), but for the box: theirs is that of the last
    component, this one the mean over components.
    """
    found = {}
    for value, box in enumerate(ndimage.find_objects(label, max_label=classes - 1), start=1):
        if box is None:
            continue
        components, _ = ndimage.label(label[box] == value, structure=_NEIGHBOURS_26)
        volumes = np.bincount(components.ravel())[1:]
        kept = np.flatnonzero(volumes > NEGLIGIBLE_SHARE * volumes.max())
        boxes = ndimage.find_objects(components)
        edges = np.array([[axis.stop - axis.start for axis in boxes[index]] for index in kept])
        x, y, z = (float(edge) for edge in edges.mean(axis=0))
        found[value] = ObjectSize((x, y, z), float(volumes[kept].mean()))
    return found
