"""Dice by object size: small structures apart, since they break first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from seat_components.records.attacked import AttackedCase, SizeDice
from seat_components.records.numbers import mean_of

_SIZES = ("small", "middle", "large")
_ABSENT = "absent"
SIZE_RULE = (
    "Per label, the cases that have it are ranked by its volume and split into thirds (small, middle, large; from "
    "three cases on); cases without it are apart, and score by the rule for absent classes."
)


def volumes_ml(label: Tensor, voxel_mm3: float, names: Sequence[str]) -> dict[str, float]:
    """The labelled volume of each foreground class in ml, from class indices (1, 1, *spatial)."""
    return {name: int((label == value).sum()) * voxel_mm3 / 1000 for value, name in enumerate(names, start=1)}


def size_groups(volumes: Mapping[str, float]) -> dict[str, list[str]]:
    """Cases by size, from one label's volume in ml per case; equal volumes rank by the case's name."""
    present = sorted((case for case, ml in volumes.items() if ml > 0), key=lambda case: (volumes[case], case))
    groups = {_ABSENT: sorted(case for case, ml in volumes.items() if ml <= 0)}
    if len(present) >= len(_SIZES):
        for rank, case in enumerate(present):
            groups.setdefault(_SIZES[rank * len(_SIZES) // len(present)], []).append(case)
    return {size: cases for size, cases in groups.items() if cases}


def dice_by_size(
    rows: Sequence[AttackedCase], volumes: Mapping[str, Mapping[str, float]], labels: Sequence[str]
) -> list[SizeDice]:
    """Mean Dice of each label, size group, attack and ε, in order of label and size.

    Args:
        rows: rows of ``robustness.json``.
        volumes: case → label → ml.
        labels: the foreground labels.
    """
    found = []
    for label in labels:
        own = {case: ml[label] for case, ml in volumes.items()}
        groups = size_groups(own)
        for size in (_ABSENT, *_SIZES):
            cases = set(groups.get(size, ()))
            extent = [own[case] for case in cases]
            dice: dict[tuple[str, float], list[float]] = {}
            for row in rows:
                if row.case in cases:
                    dice.setdefault((row.attack, row.eps_255), []).append(row.dice[label])
            for (attack, eps), values in dice.items():
                ml = (min(extent), max(extent))
                group = SizeDice(
                    label=label, size=size, ml=ml, attack=attack, eps_255=eps, cases=len(values), dice=mean_of(values)
                )
                found.append(group)
    return found
