"""A network smoothed over random transformations of its input, and what its answers guarantee."""

from seat_components.smoothing.guarantee import Smoothed, largest_radius, smoothed
from seat_components.smoothing.transformations import Smoothing

__all__ = ["Smoothed", "Smoothing", "largest_radius", "smoothed"]
