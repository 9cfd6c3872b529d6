"""Means over cases with their uncertainty, association of two quantities, and the tables that show them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from seat_components.reporting.tables import NONE, number

_DRAWS = 10_000
FEWEST = 6
"""Of fewer values even the whole range misses the mean of a symmetric distribution in 2 / 2ⁿ > 5 % of all samples."""


def bootstrap_mean(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The mean and its 95 % interval by the bootstrap over cases, widened for small samples.

    The plain percentile interval is too narrow for few cases (it misses the mean of six values in about 15 % of all
    samples): resamples spread by √((n − 1) / n) too little, and tails are taken from a normal distribution where
    Student's is due. The percentiles are moved outwards by both, the "expanded percentile" of Hesterberg, What
    Teachers Should Know About the Bootstrap, The American Statistician 69 (2015).

    Fewer than ``FEWEST`` values have no interval: both ends are NaN.
    """
    mean, count = float(np.mean(values)), len(values)
    if count < FEWEST:
        return mean, float("nan"), float("nan")
    tail = stats.norm.cdf(-math.sqrt(count / (count - 1)) * stats.t.ppf(0.975, count - 1))
    result = stats.bootstrap(
        (np.asarray(values),),
        np.mean,
        n_resamples=_DRAWS,
        confidence_level=1 - 2 * float(tail),
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return mean, float(result.confidence_interval.low), float(result.confidence_interval.high)


def paired_difference(
    one: Mapping[str, float], other: Mapping[str, float], seed: int = 0
) -> tuple[float, float, float]:
    """Mean of ``one`` − ``other`` over the cases that both have, and its 95 % interval.

    Raises:
        ValueError: if they share no case.
    """
    shared = sorted(set(one) & set(other))
    if not shared:
        raise ValueError("There is no case in common.")
    return bootstrap_mean([one[case] - other[case] for case in shared], seed)


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Spearman's correlation and its p-value, by permutation: of few pairs, even a perfect order says little.

    NaN for fewer than three pairs, or where one side is constant.
    """
    if len(pairs) < 3 or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return float("nan"), float("nan")
    one, other = (stats.rankdata(side) for side in zip(*pairs, strict=True))
    result = stats.permutation_test(
        (one,),
        lambda order: np.corrcoef(order, other)[0, 1],
        permutation_type="pairings",
        n_resamples=_DRAWS,
        rng=np.random.default_rng(0),
    )
    return float(result.statistic), float(result.pvalue)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def interval(values: Sequence[float]) -> str:
    """The mean and its 95 % interval over cases, where they are enough for one; a dash without cases."""
    if not values:
        return NONE
    mean, low, high = bootstrap_mean(values)
    return number(mean) if math.isnan(low) else f"{mean:.4f} ({low:.4f} to {high:.4f})"
