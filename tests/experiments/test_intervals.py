"""Intervals hold the mean, shrink with cases, and see a difference that pairing reveals."""

import math

import numpy as np
import pytest

from seat_components.experiments.intervals import bootstrap_mean, crossed_mean, paired_difference, rank_correlation

# Twelve cases of three seeds.
SIZES = ((1, 12), (3, 1), (3, 12))


def test_interval_is_about_two_standard_errors_wide():
    values = np.random.default_rng(0).normal(0.7, 0.1, 200)
    mean, low, high = bootstrap_mean(values)
    assert mean == pytest.approx(values.mean())
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert mean - low == pytest.approx(1.96 * error, rel=0.1)
    assert high - mean == pytest.approx(1.96 * error, rel=0.1)


def test_the_same_seed_gives_the_same_interval():
    values = [0.1, 0.5, 0.9, 0.3, 0.2, 0.6]
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)


# The plain percentile bootstrap misses the mean of these samples 37 and 22 times.
@pytest.mark.parametrize(("count", "most"), [(6, 27), (12, 19)])
def test_of_few_cases_too_the_interval_holds_the_mean_95_times_of_100(count, most):
    samples = np.random.default_rng(0).normal(size=(300, count))
    intervals = [bootstrap_mean(sample) for sample in samples]
    missed = sum(low > 0 or high < 0 for _, low, high in intervals)
    assert missed <= most


def test_fewer_than_six_cases_have_no_interval():
    mean, low, high = bootstrap_mean([0.4, 0.5, 0.6, 0.7, 0.8])
    assert mean == pytest.approx(0.6)
    assert math.isnan(low)
    assert math.isnan(high)


def test_pairing_sees_a_small_difference_between_very_different_cases():
    cases = {str(i): i / 30 for i in range(30)}
    ahead = {case: value + 0.02 + 0.001 * (int(case) % 3) for case, value in cases.items()}
    mean, low, high = paired_difference([(ahead, cases)])
    assert 0.02 < low < mean < high < 0.023


def test_only_shared_cases_are_paired():
    mean, *_ = paired_difference([({"a": 1.0, "b": 0.5, "c": 0.0}, {"a": 0.0, "b": 0.5, "d": 9.0})])
    assert mean == 0.5
    with pytest.raises(ValueError, match="no case in common"):
        paired_difference([({"a": 1.0}, {"b": 1.0})])


# How much of the spread is the cases', the seeds', and neither's.
@pytest.mark.parametrize("spreads", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0.3, 0.5)])
def test_for_other_cases_and_seeds_too_the_interval_holds_the_mean_95_times_of_100(spreads):
    draw, missed = np.random.default_rng(0), 0
    for _ in range(300):
        of_cases, of_seeds, own = (draw.normal(size=size) * spread for size, spread in zip(SIZES, spreads, strict=True))
        values = of_cases + of_seeds + own
        _, low, high = crossed_mean([dict(enumerate(seed)) for seed in values])
        missed += low > 0 or high < 0
    assert missed <= 24  # 15 are expected; more than 23 in one of fifty such tests


def test_a_single_seed_has_the_interval_over_cases():
    values = dict(enumerate(np.random.default_rng(0).normal(size=12)))
    assert crossed_mean([values]) == bootstrap_mean(list(values.values()))
    assert math.isnan(crossed_mean([{"a": 1.0}, {"a": 2.0}])[1])


def test_correlation_is_of_ranks_and_absent_without_variation():
    value, chance = rank_correlation([(1, 1), (2, 8), (3, 27), (4, 64)])
    assert value == pytest.approx(1)
    # Of the 24 orders two are as extreme, up and down.
    assert chance == pytest.approx(2 / 24)
    assert math.isnan(rank_correlation([(1, 1), (2, 2)])[0])
    assert math.isnan(rank_correlation([(1, 1), (1, 2), (1, 3)])[0])
