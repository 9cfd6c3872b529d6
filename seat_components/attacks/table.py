"""The table of attacks, by the names that records and protocols use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor

from seat_components.attacks.apgd import apgd
from seat_components.attacks.cospgd import cospgd
from seat_components.attacks.fab import fab
from seat_components.attacks.pgd import pgd
from seat_components.attacks.random_noise import random_noise
from seat_components.attacks.segpgd import segpgd
from seat_components.attacks.square import square

ATTACKS: Mapping[str, Callable[..., Tensor]] = {
    "random": random_noise,
    "pgd-ce": partial(pgd, loss="ce"),
    "apgd-ce": partial(apgd, loss="ce"),
    "apgd-dice": partial(apgd, loss="dice"),
    "apgd-dice-normalised": partial(apgd, loss="dice-normalised"),
    "apgd-dlr": partial(apgd, loss="dlr"),
    "apgd-margin": partial(apgd, loss="margin"),
    "apgd-mask-ce": partial(apgd, loss="mask-ce"),
    "apgd-mask-ce-balanced": partial(apgd, loss="mask-ce-balanced"),
    "apgd-js": partial(apgd, loss="js"),
    # These two climb a loss of their own; of their iterates the one with the most wrong voxels is wanted.
    "segpgd": partial(segpgd, loss="mask-ce"),
    "cospgd": partial(cospgd, loss="mask-ce"),
    "fab": fab,
    "square": partial(square, loss="ce"),
}
