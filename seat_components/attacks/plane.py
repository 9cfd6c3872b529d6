"""The smallest L∞ step onto a hyperplane inside the box of allowed intensities."""

from __future__ import annotations

import torch
from torch import Tensor

from seat_components.budget import IntensityBudget, per_sample

BISECTIONS = 30
"""The step's length is found to 2⁻³⁰ of the intensity range."""


def step_to_plane(point: Tensor, gradient: Tensor, gain: Tensor, budget: IntensityBudget) -> tuple[Tensor, Tensor]:
    """The step s with ⟨gradient, s⟩ = gain and lo ≤ point + s ≤ hi whose largest |s| / (hi − lo) is smallest.

    Every voxel moves by the same share t of its channel's range in the gradient's direction, or as far as the box
    lets it; the gain grows with t, so that t is found by bisection. A gain out of reach gives the box's corner.

    Args:
        point: (B, C, *spatial), inside the box.
        gradient: (B, C, *spatial).
        gain: (B,).
        budget: gives lo and hi.

    Returns:
        The step (B, C, *spatial) and t (B,), from 0 to 1.

    Source: Croce & Hein, ICML 2020 (FAB), Section 2.2: the projection onto hyperplane and box, here for ranges that
    differ between channels.
    """
    span = budget.hi - budget.lo
    direction = gradient.sign() * per_sample(gain.sign(), gradient)
    room = torch.where(direction > 0, budget.hi - point, point - budget.lo)
    slope = gradient.abs()
    low, high = torch.zeros_like(gain), torch.ones_like(gain)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        reached = (slope * torch.minimum(per_sample(middle, room) * span, room)).flatten(1).sum(dim=1) >= gain.abs()
        low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
    return direction * torch.minimum(per_sample(high, room) * span, room), high
