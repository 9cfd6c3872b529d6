"""Numbers and tables of the results page, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seat_components.experiments.intervals import bootstrap_mean


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: float) -> str:
    """Four digits; a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.4f}"


def interval(values: Sequence[float]) -> str:
    """The mean and its 95 % interval over cases, where they are enough for one; a dash without cases."""
    if not values:
        return "–"
    mean, low, high = bootstrap_mean(values)
    return number(mean) if math.isnan(low) else f"{mean:.4f} ({low:.4f} to {high:.4f})"
