"""The step onto a hyperplane against linear programming."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from seat_components.attacks.plane import step_to_plane


def smallest_share(gradient: Tensor, gain: float, below: Tensor, above: Tensor, span: Tensor) -> float:
    """The smallest t with ⟨gradient, s⟩ = gain, −below ≤ s ≤ above, |s| ≤ t·span, by linear programming."""
    n = len(gradient)
    bound = torch.cat([torch.eye(n), -span[:, None]], dim=1)
    opposite = torch.cat([-torch.eye(n), -span[:, None]], dim=1)
    solution = linprog(
        c=[0.0] * n + [1.0],
        A_ub=torch.cat([bound, opposite]).numpy(),
        b_ub=[0.0] * (2 * n),
        A_eq=[[*gradient.tolist(), 0.0]],
        b_eq=[gain],
        bounds=[*zip((-below).tolist(), above.tolist(), strict=True), (0, None)],
    )
    return float(solution.fun)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_step_is_the_smallest_that_reaches_the_plane(direction: float) -> None:
    generator = torch.Generator().manual_seed(0)
    span = torch.tensor([1.0, 10.0]).reshape(1, 2, 1).expand(3, 2, 1)
    point, gradient = torch.rand((2, 3, 2, 6), generator=generator)
    point, gradient = point * span, gradient - 0.5
    box = torch.zeros_like(point), span.expand_as(point)
    gain = direction * torch.tensor([0.1, 1.0, 4.0])
    step, share = step_to_plane(point, gradient, gain, box, span)
    torch.testing.assert_close((gradient * step).flatten(1).sum(dim=1), gain)
    assert (point + step >= -1e-6).all()
    assert (point + step <= span + 1e-5).all()
    for i in range(3):
        flat = [part[i].flatten() for part in (gradient, point, box[1] - point, span.expand_as(point))]
        best = smallest_share(flat[0], float(gain[i]), flat[1], flat[2], flat[3])
        assert float(share[i]) == pytest.approx(best, rel=1e-4)


def test_plane_out_of_reach_gives_the_corner_of_the_box() -> None:
    point, span = torch.tensor([[[0.25, 0.5, 0.5]]]), torch.ones(1, 1, 1)
    box = torch.zeros_like(point), torch.ones_like(point)
    step, share = step_to_plane(point, torch.tensor([[[1.0, -1.0, 0.0]]]), torch.tensor([100.0]), box, span)
    torch.testing.assert_close(point + step, torch.tensor([[[1.0, 0.0, 0.5]]]))
    assert float(share) == 1.0
