"""The mean over cases, and how sure it is: a 95 % interval by the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

DRAWS = 10_000
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
        n_resamples=DRAWS,
        confidence_level=1 - 2 * float(tail),
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return mean, float(result.confidence_interval.low), float(result.confidence_interval.high)
