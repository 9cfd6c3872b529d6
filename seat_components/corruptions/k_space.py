"""Artefacts of a scan's k-space while the patient moves: what each is, in TorchIO's transforms of one channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
import torch
from numpy.random import RandomState
from torch import Tensor

from seat_components.corruptions.directions import either_way
from seat_components.refusals import refuse

_Making = Callable[[float, RandomState, Sequence[int]], Any]
"""(the severity's value, random numbers, the volume's size) → TorchIO's transform."""

_GHOSTS = (4, 10)
"""How many there are at least and at most: the default of TorchIO's RandomGhosting."""
_MOVEMENTS = 2
"""How often the patient moves: the default of TorchIO's RandomMotion."""
_TIME_SHARE = 0.3
"""How far a movement may be from its place among equal times, as a share of the time between them; TorchIO's too."""


def require_torchio() -> None:
    """Refuse where TorchIO is not installed: it is an optional extra, which other corruptions do not need.

    Raises:
        RefusalError: if it is not.
    """
    if find_spec("torchio") is None:
        refuse("Ghosting and motion are TorchIO's, which is not installed: pip install torchio")


def _ghosting(value: float, random: RandomState, _: Sequence[int]) -> Any:
    from torchio.transforms import Ghosting  # noqa: PLC0415 - see require_torchio

    ghosts = int(random.randint(_GHOSTS[0], _GHOSTS[1] + 1))
    return Ghosting(num_ghosts=ghosts, axis=int(random.randint(3)), intensity=value, restore=None)


def _motion(value: float, random: RandomState, size: Sequence[int]) -> Any:
    from torchio.transforms import Motion  # noqa: PLC0415 - see require_torchio

    step = 1 / (_MOVEMENTS + 1)
    shifts = random.uniform(-_TIME_SHARE, _TIME_SHARE, _MOVEMENTS)
    times = step * (np.arange(1, _MOVEMENTS + 1) + shifts)
    # In few slices rounding would give the centre of k-space to a time when the patient has moved, and so the label.
    after_centre = size[-1] // 2 + 1
    times[-1] = max(times[-1], (after_centre + 1e-6) / size[-1])
    turns, ways = (np.array([[either_way(random) * value for _ in range(3)] for _ in range(_MOVEMENTS)]) for _ in "12")
    return Motion(
        degrees=turns,
        translation=ways,
        times=times,
        image_interpolation="linear",
    )


def _of_a_channel(making: _Making) -> Callable[..., Callable[[Tensor], Tensor]]:
    def made(like: Tensor, value: float, random: RandomState, spacing: Sequence[float]) -> Callable[[Tensor], Tensor]:
        from torchio import ScalarImage  # noqa: PLC0415 - see require_torchio

        size = [int(length) for length in like.shape[1:]]
        transform, image_of = making(value, random, size), cast("Callable[..., Any]", ScalarImage)
        # TorchIO's turns go about the origin of space: the middle of the volume, which a patient's scan is of.
        affine = np.diag([*spacing, 1.0])
        affine[:-1, -1] = [-step * (length - 1) / 2 for step, length in zip(spacing, size, strict=True)]

        def transformed(channel: Tensor) -> Tensor:
            image = image_of(tensor=channel.float(), affine=affine)
            return torch.as_tensor(transform(image).data)

        return transformed

    return made


K_SPACE: Mapping[str, Callable[..., Callable[[Tensor], Tensor]]] = {
    "ghosting": _of_a_channel(_ghosting),
    "motion": _of_a_channel(_motion),
}
