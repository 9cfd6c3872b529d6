"""A case under evaluation, and what an attack has made of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from seat_components.records.numbers import mean_of


@dataclass(frozen=True)
class Case:
    """One image and its label.

    Attributes:
        name: its name in the records.
        place: its place among all cases, from 0.
        image: float (1, C, *spatial).
        label: class indices (1, 1, *spatial), integer.
        voxel_mm3: a voxel's volume.
    """

    name: str
    place: int
    image: Tensor
    label: Tensor
    voxel_mm3: float = 1.0


@dataclass(frozen=True)
class Attacked:
    """A case under one attack: image (1, C, *spatial), class indices (1, 1, *spatial), Dice (1, K − 1)."""

    attack: str
    eps_255: float
    image: Tensor
    prediction: Tensor
    dice: Tensor

    @property
    def mean_dice(self) -> float:
        """Mean over the foreground classes."""
        return mean_of(self.dice[0].tolist())
