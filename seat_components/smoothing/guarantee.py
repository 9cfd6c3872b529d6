"""From the answers of a network under random transformations to the smoothed answer and how far it is guaranteed.

Source: Cohen, Rosenfeld, Kolter: Certified Adversarial Robustness via Randomized Smoothing, ICML 2019, theorem 1 and
section 3.2.2; over other transformations that form a group: Fischer, Baader, Vechev, NeurIPS 2020; per voxel, with
abstentions and one confidence for all: Fischer, Baader, Vechev: Scalable Certified Segmentation via Randomized
Smoothing, ICML 2021.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import beta, norm
from torch import Tensor


@dataclass(frozen=True)
class Smoothed:
    """A smoothed network's answer.

    Attributes:
        classes: the class that most draws gave, of the answers' shape; int64.
        radius: how far the transformation's parameter may move without another class, in units of σ; 0 where nothing
            is guaranteed; float64. Both are on the CPU.
    """

    classes: Tensor
    radius: Tensor


def smoothed(answers: Iterator[Tensor], classes: int, selection: int, draws: int, confidence: float) -> Smoothed:
    """The smoothed answer, and the radius of each voxel's guarantee.

    A voxel's class A is chosen by the first ``selection`` answers. The next ``draws`` bound the probability p of A from
    below, exactly (Clopper and Pearson), each voxel at the level (1 − confidence) / voxels (Bonferroni): all bounds,
    and so the guarantees of all radii, hold together with at least that confidence. Where the bound is above one half,
    the smoothed answer stays A while the parameter moves by less than σ·Φ⁻¹(bound).

    Args:
        answers: class indices of one shape; so many are taken as are needed.
        classes: K.
        selection: number of answers that choose.
        draws: number of answers that confirm.
        confidence: 0 to 1, both excluded.
    """
    first = next(answers)
    votes = torch.zeros((classes, *first.shape), dtype=torch.int16, device=first.device)
    for answer in (first, *islice(answers, selection - 1)):
        _count(votes, answer)
    chosen, agreeing = votes.argmax(dim=0), torch.zeros_like(votes[0])
    for answer in islice(answers, draws):
        _count(votes, answer)
        agreeing += answer == chosen
    radii = torch.from_numpy(_radii(draws, (1 - confidence) / agreeing.numel()))
    return Smoothed(votes.argmax(dim=0).cpu(), radii[agreeing.long().cpu()])


def _count(votes: Tensor, answer: Tensor) -> None:
    for number in range(len(votes)):
        votes[number] += answer == number


def largest_radius(voxels: int, draws: int, confidence: float) -> float:
    """The radius in units of σ where all draws agree, so that a larger one cannot be guaranteed."""
    return float(_radii(draws, (1 - confidence) / voxels)[-1])


def _radii(draws: int, level: float) -> NDArray[np.float64]:
    """The radius for 0, 1, …, ``draws`` agreeing draws."""
    agreeing = np.arange(1, draws + 1)
    bound = np.concatenate([[0.0], beta.ppf(level, agreeing, draws - agreeing + 1)])
    radii: NDArray[np.float64] = np.where(bound > 0.5, norm.ppf(bound), 0.0)
    return radii
