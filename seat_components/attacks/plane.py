"""The smallest L∞ step onto a hyperplane inside a box."""

from __future__ import annotations

import torch
from torch import Tensor

from seat_components.budget import per_sample

_BISECTIONS = 30
"""The step's length is found to 2⁻³⁰ of the span."""


def step_to_plane(
    point: Tensor, gradient: Tensor, gain: Tensor, box: tuple[Tensor, Tensor], span: Tensor
) -> tuple[Tensor, Tensor]:
    """The step s with ⟨gradient, s⟩ = gain whose largest |s| / span is smallest, point + s staying inside the box.

    Every voxel moves by the same share t of its channel's span in the gradient's direction, or as far as the box lets
    it; the gain grows with t, so that t is found by bisection. A gain out of reach gives the box's corner.

    Args:
        point: (B, C, *spatial), inside the box.
        gradient: (B, C, *spatial).
        gain: (B,).
        box: the lowest and the highest image, each (B, C, *spatial).
        span: what distances are shares of in each channel, (B, C, 1, …); no step is longer.

    Returns:
        The step (B, C, *spatial) and t (B,), from 0 to 1.

    Source: Croce & Hein, ICML 2020 (FAB), Section 2.2: the projection onto hyperplane and box, here for ranges that
    differ between channels.
    """
    direction = gradient.sign() * per_sample(gain.sign(), gradient)
    room = torch.where(direction > 0, box[1] - point, point - box[0])
    slope = gradient.abs()
    low, high = torch.zeros_like(gain), torch.ones_like(gain)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        reached = (slope * torch.minimum(per_sample(middle, room) * span, room)).flatten(1).sum(dim=1) >= gain.abs()
        low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
    return direction * torch.minimum(per_sample(high, room) * span, room), high
