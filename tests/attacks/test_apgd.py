"""APGD's checkpoints and stages against hand-worked lists, and its step halving."""

from __future__ import annotations

import pytest
import torch
from linear_voxels import LinearVoxels
from torch import Tensor

from seat_components.attacks import SEA_RADII, apgd
from seat_components.attacks.apgd import checkpoint_steps, split_steps
from seat_components.budget import IntensityBudget


def test_checkpoints_are_the_hand_worked_ones() -> None:
    assert checkpoint_steps(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checkpoint_steps(20) == [5, 9, 12, 14, 16, 18, 19, 20]
    assert checkpoint_steps(1) == [1]


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 20, 100, 300])
def test_stages_share_all_steps_and_end_inside_the_budget(steps: int) -> None:
    stages = split_steps(steps, SEA_RADII)
    assert sum(count for _, count in stages) == steps
    assert stages[-1][0] == 1
    assert all(count > 0 for _, count in stages)


def test_stages_of_the_published_schedule() -> None:
    assert split_steps(100, SEA_RADII) == [(2.0, 30), (1.5, 30), (1.0, 40)]
    assert split_steps(20, SEA_RADII) == [(2.0, 6), (1.5, 6), (1.0, 8)]


@pytest.mark.parametrize(
    "radii",
    [(), ((1.0, 0.5),), ((2.0, 1.0),), ((1.0, 0.5), (2.0, 0.5)), ((0.0, 0.5), (1.0, 0.5)), ((1.0, 1.5), (1.0, -0.5))],
)
def test_refuses_a_schedule_that_does_not_end_at_the_budget(radii: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="radii is"):
        split_steps(20, radii)


def test_larger_radii_are_visited_but_not_returned() -> None:
    image = torch.linspace(-1, 1, 50).reshape(1, 1, 50)
    budget = IntensityBudget.of(image, 0.1)
    seen: list[Tensor] = []

    def predictor(inputs: Tensor) -> Tensor:
        seen.append(((inputs - image).abs() / budget.radius).max().detach())
        return torch.cat([-inputs, inputs], dim=1)

    label = (image > 0).long()
    adversarial = apgd(predictor, image, label, eps=0.1, steps=20, radii=SEA_RADII)
    assert budget.holds(adversarial, image)
    # A stage of n steps looks at n + 1 images.
    assert max(seen[:7]) == pytest.approx(2, abs=1e-3)
    assert max(seen[7:14]) == pytest.approx(1.5, abs=1e-3)
    assert max(seen[14:]) == pytest.approx(1, abs=1e-3)


def published_algorithm(start: float, best_point: float, curvature: float, radius: float, steps: int) -> list[float]:
    """Algorithm 1 for one number and f(x) = −curvature·(x − best_point)², in plain arithmetic: the points visited."""

    def value(x: float) -> float:
        return -curvature * (x - best_point) ** 2

    def clip(x: float) -> float:
        return min(max(x, -radius), radius)

    visited, x, before, step = [start], start, start, 2 * radius
    highest = start
    rises, checked, at_check, halved_before = 0, 0, start, False
    for k in range(1, steps + 1):
        direction = (x < best_point) - (x > best_point)
        z = clip(x + step * direction)
        new = z if k == 1 else clip(x + 0.75 * (z - x) + 0.25 * (x - before))
        rises += value(new) > value(x)
        before, x = x, new
        visited.append(x)
        if value(x) > value(highest):
            highest = x
        if k in checkpoint_steps(steps):
            few = rises < 0.75 * (k - checked)
            stuck = not halved_before and value(highest) == value(at_check)
            halved_before = few or stuck
            if halved_before:
                step, x = step / 2, highest
            rises, checked, at_check = 0, k, highest
    return visited


@pytest.mark.parametrize("best_point", [0.0371, -0.2213, 0.499, 0.7])
@pytest.mark.parametrize("steps", [1, 7, 20, 60])
def test_visits_the_points_of_the_published_algorithm(best_point: float, steps: int) -> None:
    image = torch.zeros(1, 1, 1, dtype=torch.float64)
    seen: list[float] = []

    def predictor(inputs: Tensor) -> Tensor:
        seen.append(float(inputs.detach()))
        return torch.cat([inputs, -inputs], dim=1)

    def loss(logits: Tensor, _: Tensor) -> Tensor:
        return -3 * (logits[:, 0] - best_point).square().flatten(1).sum(dim=1)

    apgd(
        predictor, image, image.long(), eps=0.25, bounds=(-1.0, 1.0), steps=steps, loss=loss,
        generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    assert seen == pytest.approx(published_algorithm(seen[0], best_point, 3.0, 0.5, steps), abs=1e-12)


def test_second_condition_halves_a_step_that_brings_nothing() -> None:
    """One fall and four rises satisfy the first condition, but the best loss is still that of the start."""
    values = iter([0.0, -10.0, -9.0, -8.0, -7.0, -6.0, *[-20.0] * 15])
    image = torch.zeros(1, 1, 1, dtype=torch.float64)
    seen: list[float] = []

    def predictor(inputs: Tensor) -> Tensor:
        seen.append(float(inputs.detach()))
        return torch.cat([inputs, -inputs], dim=1)

    def loss(logits: Tensor, _: Tensor) -> Tensor:
        rising = logits[:, 0].flatten(1).sum(dim=1)
        return rising - rising.detach() + next(values)

    apgd(
        predictor, image, image.long(), eps=0.25, bounds=(-1.0, 1.0), loss=loss,
        generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    start = seen[0]
    assert seen[1:6] == [0.5] * 5
    halved_step = min(start + 0.5, 0.5)
    assert seen[6] == pytest.approx(min(0.5, start + 0.75 * (halved_step - start) + 0.25 * (start - 0.5)))


def test_step_is_halved_where_the_loss_oscillates() -> None:
    """The best point of −(s − 0.1234·ε)² lies inside the budget: only ever smaller steps come near it."""
    image = torch.zeros(1, 1, 8)
    target = torch.tensor([0.12, -0.31, 0.07, 0.45, -0.02, 0.33, -0.2, 0.26]).reshape(1, 1, 8)

    def loss(logits: Tensor, label: Tensor) -> Tensor:
        return -(logits[:, :1] - target).square().flatten(1).sum(dim=1)

    def predictor(inputs: Tensor) -> Tensor:
        return torch.cat([inputs, -inputs], dim=1)

    errors = []
    for steps in (20, 100):
        adversarial = apgd(
            predictor, image, image.long(), eps=0.5, bounds=(-1.0, 1.0), steps=steps, loss=loss,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        errors.append(float((adversarial - target).abs().max()))
    assert errors[1] < 0.1
    assert errors[1] < errors[0]


def test_it_begins_at_a_given_start_brought_inside_the_budget() -> None:
    problem = LinearVoxels.draw(2, 2)
    asked: list[Tensor] = []

    def predictor(image: Tensor) -> Tensor:
        asked.append(image.detach().clone())
        return problem(image)

    start = problem.image + 1
    apgd(predictor, problem.image, problem.label, eps=0.05, steps=1, restarts=2, start=start)
    budget = IntensityBudget.of(problem.image, 0.05)
    assert torch.equal(asked[0], budget.project(start, problem.image))
    # Restarts draw their own.
    assert not torch.equal(asked[2], asked[0])
    with pytest.raises(ValueError, match="start has shape"):
        apgd(problem, problem.image, problem.label, eps=0.05, start=start[:1])
