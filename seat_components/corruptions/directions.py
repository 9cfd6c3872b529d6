"""A direction that is drawn, for corruptions of a given size."""

from __future__ import annotations

from numpy.random import RandomState


def either_way(random: RandomState) -> float:
    """1 or −1."""
    return float(random.choice((-1.0, 1.0)))
