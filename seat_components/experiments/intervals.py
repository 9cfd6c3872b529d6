"""Means over cases and seeds with their uncertainty, association of two quantities, and the tables that show them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from seat_components.records.bootstrap import DRAWS, FEWEST, bootstrap_mean
from seat_components.reporting.tables import NONE, number


def crossed_mean(seeds: Sequence[Mapping[str, float]]) -> tuple[float, float, float]:
    """The mean over seeds and the cases that all of them have, and its 95 % interval for other cases and other seeds.

    Cases and seeds are crossed: each adds the variance of its own means, over their number. What is neither's counts in
    both, so that the interval is rather too wide than too narrow. Student's t with the degrees of freedom of
    Satterthwaite (Biometrics Bulletin 2, 1946). A single seed has the bootstrap over cases; cases fewer than ``FEWEST``
    have no interval: both ends are NaN.

    Args:
        seeds: for each seed, the value of each case.

    Raises:
        ValueError: if they share no case.
    """
    shared = sorted(set.intersection(*map(set, seeds)))
    if not shared:
        raise ValueError("There is no case in common.")
    values = np.array([[seed[case] for case in shared] for seed in seeds])
    if len(seeds) == 1:
        return bootstrap_mean(values[0].tolist())
    mean = float(values.mean())
    if len(shared) < FEWEST:
        return mean, math.nan, math.nan
    means = (values.mean(axis=0), values.mean(axis=1))
    parts = [float(np.var(part, ddof=1)) / len(part) for part in means]
    variance = sum(parts)
    if variance == 0:
        return mean, mean, mean
    degrees = variance**2 / sum(own**2 / (len(part) - 1) for own, part in zip(parts, means, strict=True))
    half = float(stats.t.ppf(0.975, degrees)) * math.sqrt(variance)
    return mean, mean - half, mean + half


def paired_difference(pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> tuple[float, float, float]:
    """Mean of the first minus the second of each seed's pair, by case, and its 95 % interval.

    Raises:
        ValueError: if they share no case.
    """
    return crossed_mean([{case: one[case] - other[case] for case in set(one) & set(other)} for one, other in pairs])


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
        n_resamples=DRAWS,
        rng=np.random.default_rng(0),
    )
    return float(result.statistic), float(result.pvalue)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def interval(seeds: Sequence[Mapping[str, float]]) -> str:
    """The mean and its 95 % interval over cases and seeds, where they are enough for one; a dash without cases."""
    measured = [seed for seed in seeds if seed]
    if not measured:
        return NONE
    mean, low, high = crossed_mean(measured)
    return number(mean) if math.isnan(low) else f"{mean:.4f} ({low:.4f} to {high:.4f})"
