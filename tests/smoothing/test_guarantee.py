"""Guarantees: the exact binomial bound, coverage where the truth is known, and an attacker that searches the range."""

import itertools

import pytest
import torch
from closed_forms import SIGMAS, answer, margins, smoothing, voxels
from scipy.stats import binom, binomtest, norm

from seat_components.records.certificate import GAMMA, NOISE
from seat_components.smoothing import largest_radius, smoothed

CONFIDENCE = 0.9
FAMILIES = 100


@pytest.mark.parametrize(("draws", "voxels", "confidence"), [(20, 1, 0.95), (100, 49152, 0.999)])
def test_the_bound_is_scipys_exact_one_at_the_voxels_share_of_the_level(draws, voxels, confidence):
    level = (1 - confidence) / voxels
    for agreeing in (draws, draws - 3):
        answers = iter([torch.ones(voxels)] * (1 + agreeing) + [torch.zeros(voxels)] * (draws - agreeing))
        found = smoothed(answers, 2, 1, draws, confidence).radius
        bound = binomtest(agreeing, draws, alternative="greater").proportion_ci(1 - level, "exact").low
        assert found.tolist() == pytest.approx([float(norm.ppf(bound))] * voxels)
    assert largest_radius(voxels, draws, confidence) == pytest.approx(float(norm.ppf(level ** (1 / draws))))


def test_without_a_majority_nothing_is_guaranteed_and_the_most_frequent_class_is_the_answer():
    votes = [0, 1, 2, 2, 1, 2, 0, 2, 1]
    found = smoothed(iter(torch.tensor([vote]) for vote in votes), 3, 1, 8, 0.9)
    assert found.classes.tolist() == [2]
    assert found.radius.tolist() == [0.0]


@pytest.mark.parametrize("transformation", [GAMMA, NOISE])
def test_no_more_families_than_stated_have_a_guarantee_that_does_not_hold(transformation):
    image = voxels()
    true = margins(image, transformation)
    failures, guaranteed = 0, 0
    for family in range(FAMILIES):
        inputs = smoothing(seed=family).draws(image, transformation, "case")
        found = smoothed(map(answer, inputs), 2, 3, 30, CONFIDENCE)
        holds = torch.where(found.classes == 1, true, -true)
        failures += bool(((found.radius > 0) & (found.radius > holds)).any())
        guaranteed += int((found.radius > 0).sum())
    assert guaranteed > FAMILIES * image.numel() / 3, "hardly anything is guaranteed"
    assert binomtest(failures, FAMILIES, 1 - CONFIDENCE, alternative="greater").pvalue > 1e-3


def test_an_attacker_in_the_range_of_gamma_changes_no_guaranteed_voxel():
    """The answers on a grid of β give the smoothed network's probabilities after any gamma, as exponents add up."""
    sigma, image, one = SIGMAS[GAMMA], voxels(), smoothing()
    found = smoothed(map(answer, one.draws(image, GAMMA, "case")), 2, 10, 100, 0.999)
    assert (found.radius > 0).sum() > 12
    grid = torch.linspace(-6, 6, 301, dtype=torch.float64)
    given = torch.stack([answer(one.network_input(image, float(beta) * sigma)) for beta in grid])
    for gamma in torch.linspace(-1.5, 1.5, 61):
        weight = torch.softmax(-((grid - gamma) ** 2) / 2, dim=0)
        share = ((given == found.classes).double() * weight.reshape(-1, 1, 1, 1)).sum(dim=0)
        assert (share[found.radius > gamma.abs()] > 0.5 - 0.01).all()


def test_an_attacker_in_the_range_of_noise_changes_no_guaranteed_voxel():
    image, one = voxels(), smoothing(seed=5)
    found = smoothed(map(answer, one.draws(image, NOISE, "case")), 2, 10, 100, 0.999)
    # The strongest attack on a voxel puts all of its budget there, towards the threshold.
    towards = torch.where(found.classes == 1, -1.0, 1.0)
    moved = image + (0.999 * found.radius * SIGMAS[NOISE] * towards)[None, None].float()
    votes = sum(
        (answer(drawn) == found.classes).int() for drawn in itertools.islice(one.draws(moved, NOISE, "attacked"), 100)
    )
    guaranteed = found.radius > 0
    assert guaranteed.sum() > 12
    assert (torch.from_numpy(binom.cdf(votes[guaranteed], 100, 0.5)) > 1e-3 / image.numel()).all()
