"""The intensity budget (lo, hi, ε_b) that training, attacks and evaluation share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seat_components.refusals import refuse

_LEAST_EPS_255 = 0.1
"""Below it a budget is rather a fraction, such as 8/255 = 0.031, written for its 255ths."""
RANGE, _CONTRAST = BUDGETS = ("range", "contrast")
"""What ε is a share of: an image's range, which is the paper's budget, or its contrast, see ``RANGE_OVER_STD``."""
RANGE_OVER_STD = 4.68
"""How many standard deviations make the range that a budget of contrast is a share of.

The median of (max − min) / standard deviation over the patches of Task04's 208 training cases in fold 0, as they are
attacked: ``python -m tools.range_over_std --dataset_dir DATA`` prints it. So both budgets agree on half of them.
"""


def check_budget(budget: object) -> None:
    """Refuse what is none of ``BUDGETS``.

    Raises:
        RefusalError: naming them.
    """
    if budget not in BUDGETS:
        refuse(f"budget is {budget!r}, but ε is a share of an image's {' or of its '.join(BUDGETS)}")


def check_eps_255(eps_255: float, name: str = "eps_255") -> None:
    """Refuse an ε that is not written in 255ths of the intensity range; 0 is one.

    Raises:
        RefusalError: naming the option ``name``, and what to write instead.
    """
    if 0 < eps_255 < _LEAST_EPS_255:
        refuse(f"{name} is {eps_255:g}, but it counts 255ths of the range: for that share write {255 * eps_255:g}")
    if not 0 <= eps_255 <= 255:
        refuse(f"{name} is {eps_255}, but it is a share of the intensity range: from 0 to 255, the paper's is 8")


def budgets_of(eps_255: float | Sequence[float], name: str = "eps_255") -> list[float]:
    """Budgets above 0 in ascending order as Python's numbers, from one or several, of NumPy or PyTorch as well.

    Raises:
        RefusalError: naming the option ``name``, if one is no number or outside (0, 255], or there is none.
    """
    given: Any = eps_255.tolist() if hasattr(eps_255, "tolist") else eps_255
    several: list[Any] = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    plain = [one.item() if hasattr(one, "item") else one for one in several]
    numbers = all(isinstance(eps, int | float) and not isinstance(eps, bool) for eps in plain)
    if not plain or not numbers or not all(0 < eps <= 255 for eps in plain):
        refuse(f"{name} is {eps_255}, but it lists shares of the intensity range: each above 0, up to 255")
    for eps in plain:
        check_eps_255(eps, name)
    return sorted(plain)


def per_sample(values: Tensor, like: Tensor) -> Tensor:
    """Reshape ``values`` (B,) or (B, C) so that it broadcasts against ``like`` (B, C, *spatial)."""
    return values.reshape(*values.shape, *([1] * (like.ndim - values.ndim)))


def standard_deviation(image: Tensor) -> Tensor:
    """That of each sample and channel of ``image`` (B, C, *spatial), (B, C), of its type; exactly 0 for a constant."""
    values = image.detach().flatten(2)
    # In half precision the squares of usual intensities overflow.
    spread = values.to(torch.promote_types(values.dtype, torch.float32)).std(dim=2, correction=0).to(values.dtype)
    least, most = torch.aminmax(values, dim=2)
    return torch.where(least < most, spread, 0)


@dataclass(frozen=True)
class IntensityBudget:
    """What may be done to a batch of images: stay in the image's own range, move each voxel by at most ε_b.

    Attributes:
        lo: the lowest allowed intensity, (B, C, 1, …).
        hi: the highest allowed intensity, (B, C, 1, …).
        whole: what ε is a share of, (B, C, 1, …): hi − lo, or ``RANGE_OVER_STD`` standard deviations of the image.
        radius: ε_b = ε·whole, (B, C, 1, …), in the image's intensity units; 0 for a constant channel.

    Source: the threat model of SEAT (MICCAI 2023), Section 2; ε is relative to the range of the example. One bright
    voxel stretches that range, which is why there is a budget of contrast as well.
    """

    lo: Tensor
    hi: Tensor
    whole: Tensor
    radius: Tensor

    @classmethod
    def of(
        cls, image: Tensor, eps: float, bounds: tuple[float, float] | None = None, budget: str = RANGE
    ) -> IntensityBudget:
        """The budget of ``image`` (B, C, *spatial), per sample and channel, or of the fixed range ``bounds``.

        Args:
            image: float tensor (B, C, *spatial).
            eps: fraction of the range, e.g. ``8 / 255``.
            bounds: (lo, hi) for inputs of a fixed range; None takes the range of each sample and channel.
            budget: ``range``, or ``contrast``, for which ``RANGE_OVER_STD`` standard deviations of each sample and
                channel take the range's place; the image stays within its range, or ``bounds``, all the same.

        Raises:
            ValueError: if ``eps`` is no fraction, ``budget`` another word, or ``bounds`` are not in ascending order.
        """
        if budget not in BUDGETS:
            raise ValueError(f"budget is {budget!r}, but it must be {' or '.join(BUDGETS)}")
        if not 0 <= eps <= 1:
            raise ValueError(f"eps is {eps}, but it is a fraction of the intensity range, 0 to 1, such as 8 / 255")
        channels = (*image.shape[:2], *([1] * (image.ndim - 2)))
        if bounds is None:
            flat = image.detach().flatten(2)
            lo, hi = (extreme.reshape(channels) for extreme in torch.aminmax(flat, dim=2))
        else:
            if not bounds[0] < bounds[1]:
                raise ValueError(f"bounds are {bounds}, but they must be (lo, hi) with lo < hi")
            lo, hi = (image.new_full(channels, bound) for bound in bounds)
        whole = hi - lo if budget == RANGE else RANGE_OVER_STD * standard_deviation(image).reshape(channels)
        return cls(lo, hi, whole, eps * whole)

    def clip(self, noise: Tensor) -> Tensor:
        """``noise`` with every element brought into [−ε_b, ε_b]."""
        return torch.clamp(noise, -self.radius, self.radius)

    def apply(self, image: Tensor, noise: Tensor) -> Tensor:
        """The perturbed image clamp(x + δ, lo, hi)."""
        return torch.clamp(image + noise, self.lo, self.hi)

    def project(self, candidate: Tensor, image: Tensor) -> Tensor:
        """The image nearest to ``candidate`` inside the budget, in the image's own dtype.

        max(lo, x − ε_b) ≤ adv ≤ min(hi, x + ε_b) holds to the last bit, and so does |adv − x| ≤ ε_b: where
        rounding x ± ε_b overshot, the result is the next number towards x.
        """
        inside = self.box_clamp(candidate, image)
        return torch.where((inside - image).abs() > self.radius, torch.nextafter(inside, image), inside)

    def box_clamp(self, candidate: Tensor, image: Tensor) -> Tensor:
        """``candidate`` clamped to [max(lo, x − ε_b), min(hi, x + ε_b)]."""
        near = torch.minimum(torch.maximum(candidate, image - self.radius), image + self.radius)
        return torch.clamp(near, self.lo, self.hi)

    def holds(self, adversarial: Tensor, image: Tensor) -> bool:
        """Whether max(lo, x − ε_b) ≤ adv ≤ min(hi, x + ε_b), every voxel, to the last bit."""
        return torch.equal(self.box_clamp(adversarial, image), adversarial)

    def linf_over_budget(self, adversarial: Tensor, image: Tensor) -> float:
        """max |adv − x| / ε_b over all elements; where ε_b = 0, a change is infinite and no change is 0."""
        ratio = (adversarial - image).abs() / self.radius
        return float(ratio.nan_to_num(nan=0.0, posinf=float("inf")).max())
