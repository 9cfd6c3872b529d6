"""Every attack reaches the best possible result on a linear voxel classifier, in any rank and batch size."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from linear_voxels import LinearVoxels

from seat_components.attacks import ATTACKS, LOSSES, SEA_RADII, apgd, fab, pgd, square
from seat_components.budget import IntensityBudget

EPS = 0.05
GRADIENT_ATTACKS = {
    **{name: attack for name, attack in ATTACKS.items() if name not in ("random", "fab", "square")},
    "pgd-momentum": partial(pgd, momentum=0.75),
    "pgd-margin": partial(pgd, loss="margin"),
    "apgd-sea": partial(apgd, radii=SEA_RADII),
}
each_rank = pytest.mark.parametrize("rank", [1, 2, 3])
each_batch = pytest.mark.parametrize("batch", [1, 3, 8])


@each_rank
@each_batch
@pytest.mark.parametrize("attack", [pgd, apgd, partial(apgd, radii=SEA_RADII), partial(pgd, momentum=0.75)])
@pytest.mark.parametrize("loss", ["ce", "dice", "margin"])
def test_reaches_the_highest_loss(attack: Any, loss: str, rank: int, batch: int) -> None:
    problem = LinearVoxels.draw(rank, batch)
    adversarial = attack(problem, problem.image, problem.label, eps=EPS, loss=loss)
    reached = LOSSES[loss](problem(adversarial), problem.label)
    clean = LOSSES[loss](problem(problem.image), problem.label)
    best = problem.best_loss(LOSSES[loss], EPS)
    assert ((best - reached) <= 0.01 * (best - clean)).all()


@each_rank
@each_batch
@pytest.mark.parametrize("loss", ["ce", "margin", "dlr"])
def test_three_classes_reach_the_highest_loss(loss: str, rank: int, batch: int) -> None:
    problem = LinearVoxels.draw(rank, batch, classes=3)
    adversarial = apgd(problem, problem.image, problem.label, eps=EPS, loss=loss)
    reached = LOSSES[loss](problem(adversarial), problem.label)
    clean = LOSSES[loss](problem(problem.image), problem.label)
    best = problem.best_loss(LOSSES[loss], EPS)
    assert ((best - reached) <= 0.01 * (best - clean)).all()


def test_dlr_of_proportional_logits_depends_on_the_sign_only() -> None:
    """Logits a_k·(v·x), a = (−1, 0, 1): −½ where the voxel is right and 1 where it is wrong, however large v·x is."""
    problem = replace(LinearVoxels.draw(2, 3, classes=3), offsets=torch.zeros(3))
    right = problem(problem.image).argmax(dim=1, keepdim=True) == problem.label
    expected = torch.where(right, -0.5, 1.0).flatten(1).mean(dim=1)
    for scale in (1.0, 100.0):
        logits = scale * problem(problem.image)
        torch.testing.assert_close(LOSSES["dlr"](logits, problem.label), expected, atol=1e-4, rtol=0)


@each_rank
@each_batch
@pytest.mark.parametrize("name", GRADIENT_ATTACKS)
def test_reaches_the_highest_number_of_wrong_voxels(name: str, rank: int, batch: int) -> None:
    problem = LinearVoxels.draw(rank, batch, classes=3)
    adversarial = GRADIENT_ATTACKS[name](problem, problem.image, problem.label, eps=EPS)
    wrong, best = problem.wrong_voxels(problem(adversarial)), problem.wrong_voxels(problem.best_logits(EPS))
    assert (best > problem.wrong_voxels(problem(problem.image))).all(), "the example must have something to win"
    assert (wrong >= 0.99 * best).all()


@each_rank
@each_batch
def test_fab_finds_the_distance_to_the_boundary(rank: int, batch: int) -> None:
    problem = LinearVoxels.draw(rank, batch)
    adversarial = fab(problem, problem.image, problem.label, eps=1.0)
    closed_form = problem.boundary_distance()
    found = torch.tensor([distance_of(problem, adversarial, i) for i in range(batch)])
    assert (LOSSES["margin"](problem(adversarial), problem.label) >= 0).all()
    assert ((found >= 0.999 * closed_form) & (found <= 1.05 * closed_form)).all()


def test_fab_adds_up_in_more_precision_than_a_half_precision_image_has() -> None:
    """Sums over these voxels exceed half precision's largest number."""
    problem = LinearVoxels.draw(2, 3)
    problem = replace(problem, image=(1000 * problem.image).half())
    adversarial = fab(problem, problem.image, problem.label, eps=1.0)
    assert adversarial.dtype == torch.half
    found = torch.tensor([distance_of(problem, adversarial, i) for i in range(3)])
    assert (found <= 1.05 * problem.boundary_distance()).all()
    assert (LOSSES["margin"](problem(adversarial), problem.label) >= 0).all()


def distance_of(problem: LinearVoxels, adversarial: torch.Tensor, sample: int) -> float:
    one = slice(sample, sample + 1)
    return IntensityBudget.of(problem.image[one], 1.0).linf_over_budget(adversarial[one], problem.image[one])


def test_fab_goes_as_far_as_a_budget_lets_it_that_is_too_small_to_cross() -> None:
    problem = LinearVoxels.draw(2, 3)
    clean = LOSSES["margin"](problem(problem.image), problem.label)
    for eps in (0.01, 0.05):
        adversarial = fab(problem, problem.image, problem.label, eps=eps)
        reached, best = LOSSES["margin"](problem(adversarial), problem.label), problem.best_loss(LOSSES["margin"], eps)
        assert (reached - clean >= 0.99 * (best - clean)).all()


@each_rank
def test_square_search_comes_near_the_highest_loss(rank: int) -> None:
    problem = LinearVoxels.draw(rank, 2)
    generator = torch.Generator().manual_seed(0)
    adversarial = square(problem, problem.image, problem.label, eps=EPS, steps=1000, loss="margin", generator=generator)
    clean, reached, best = (
        LOSSES["margin"](problem(problem.image), problem.label),
        LOSSES["margin"](problem(adversarial), problem.label),
        problem.best_loss(LOSSES["margin"], EPS),
    )
    assert (reached - clean >= 0.6 * (best - clean)).all()
