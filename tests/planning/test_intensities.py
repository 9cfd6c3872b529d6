"""The running summary of intensities against NumPy on all values at once."""

import numpy as np
import pytest

from seat_components.planning.intensities import BINS, CT_RANGE, UNIT_RANGE, Intensities

PERCENTILES = (0.0, 0.5, 37.0, 50.0, 99.5, 100.0)


def summary(span, pieces):
    total = Intensities(span)
    for piece in pieces:
        total.add(piece)
    return total


def numbers(total):
    return [total.count, total.mean, total.std, *(total.percentile(q) for q in PERCENTILES)]


def test_whole_hounsfield_units_are_exact():
    values = np.random.default_rng(0).integers(-1024, 3000, size=10_007).astype(np.int16)
    total = summary(CT_RANGE, np.array_split(values, 7))
    assert total.count == values.size
    np.testing.assert_allclose(total.mean, values.mean(dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(total.std, values.std(dtype=np.float64), rtol=1e-12)
    for q in PERCENTILES:
        np.testing.assert_allclose(total.percentile(q), np.percentile(values, q), rtol=0, atol=1e-9)


def test_other_intensities_are_right_to_half_a_bin():
    values = np.random.default_rng(1).beta(2, 5, size=5_000)
    total = summary(UNIT_RANGE, [values])
    for q in PERCENTILES:
        assert abs(total.percentile(q) - np.percentile(values, q)) <= 0.5 / (BINS - 1) + 1e-12


def test_merging_equals_adding():
    first, second = np.random.default_rng(2).integers(-50, 90, size=(2, 999))
    merged = summary(CT_RANGE, [first])
    merged.merge(summary(CT_RANGE, [second]))
    np.testing.assert_allclose(numbers(merged), numbers(summary(CT_RANGE, [first, second])), rtol=1e-12)


@pytest.mark.parametrize("offset", [1e6, -1e6])
def test_a_large_offset_costs_no_precision_of_the_deviation(offset):
    values = offset + np.random.default_rng(3).normal(size=10_000)
    total = summary((offset - 10, offset + 10), np.array_split(values, 100))
    np.testing.assert_allclose(total.std, values.std(), rtol=1e-9)


def test_nothing_adds_nothing():
    total = summary(CT_RANGE, [np.array([5.0]), np.array([]), np.array([5.0])])
    assert numbers(total) == [2, 5.0, 0.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]


def test_values_beyond_the_span_count_in_its_ends():
    total = summary(UNIT_RANGE, [np.array([-3.0, 0.5, 7.0])])
    assert (total.percentile(0), total.percentile(100)) == UNIT_RANGE
    assert total.mean == pytest.approx(1.5)
