"""What a budget amounts to on a case: ε_b in standard deviations of the image, and of its foreground."""

from __future__ import annotations

from torch import Tensor

from seat_components.attacks.reading import Reading
from seat_components.budget import IntensityBudget, standard_deviation
from seat_components.evaluation.case import Case
from seat_components.records.attacked import BudgetShare


def budget_share(case: Case, eps_255: float, budget: IntensityBudget, reading: Reading) -> BudgetShare:
    """ε_b over the standard deviation of the image as it is attacked, and of its foreground, label > 0.

    Args:
        case: the case.
        eps_255: the budget's ε, in units of 1/255.
        budget: the budget.
        reading: which voxels of the label count; the others are no foreground.
    """
    counts = reading.counts(case.label)
    found = case.label > 0 if counts is None else (case.label > 0) & counts
    foreground = case.image.flatten(2)[..., found.any(dim=1).flatten()]
    return BudgetShare(
        case=case.name,
        eps_255=eps_255,
        image=_share(budget.radius, case.image),
        foreground=_share(budget.radius, foreground),
    )


def _share(radius: Tensor, values: Tensor) -> float | None:
    """Mean over the channels of ε_b / standard deviation, without constant ones; None where no other is left."""
    if not values.numel():
        return None
    spread = standard_deviation(values).double().flatten()
    shares = radius.double().flatten()[spread > 0] / spread[spread > 0]
    return float(shares.mean()) if shares.numel() else None
