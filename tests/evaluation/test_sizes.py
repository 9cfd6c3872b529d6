"""Dice by object size: every case is in one group, thirds by volume, absent classes apart."""

from itertools import pairwise

import pytest
import torch

from seat_components.evaluation.sizes import dice_by_size, size_groups, volumes_ml
from seat_components.records.attacked import AttackedCase


def test_volumes_are_in_ml():
    label = torch.tensor([0, 1, 1, 2, 0]).reshape(1, 1, 5)
    assert volumes_ml(label, 500.0, ["a", "b", "c"]) == {"a": 1.0, "b": 0.5, "c": 0.0}


@pytest.mark.parametrize("count", range(3, 12))
def test_every_case_is_in_one_group_and_groups_are_in_order(count):
    volumes = {f"case {(7 * i) % 13}": float(i) for i in range(count + 1)}
    groups = size_groups(volumes)
    assert sorted(case for cases in groups.values() for case in cases) == sorted(volumes)
    assert groups["absent"] == ["case 0"]
    sizes = [[volumes[case] for case in groups[size]] for size in ("small", "middle", "large")]
    for smaller, larger in pairwise(sizes):
        assert max(smaller) < min(larger)
    assert max(map(len, sizes)) - min(map(len, sizes)) <= 1


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_cases_have_no_thirds(count):
    assert size_groups({f"case {i}": i + 1.0 for i in range(count)}) == {}


def test_means_by_hand():
    volumes = {case: {"Organ": ml} for case, ml in {"a": 3.0, "b": 1.0, "c": 2.0, "d": 0.0}.items()}
    rows = [
        AttackedCase(case=case, attack="worst", eps_255=8, dice={"Organ": dice})
        for case, dice in {"a": 0.9, "b": 0.1, "c": 0.5, "d": 1.0}.items()
    ]
    found = {row.size: row for row in dice_by_size(rows, volumes, ["Organ"])}
    assert {size: (row.dice, row.ml, row.cases) for size, row in found.items()} == {
        "absent": (1.0, (0.0, 0.0), 1),
        "small": (0.1, (1.0, 1.0), 1),
        "middle": (0.5, (2.0, 2.0), 1),
        "large": (0.9, (3.0, 3.0), 1),
    }
