"""slices/<case>.npz: which are shown, refusals, and the evaluation's own file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fabricated_records import write_slice

from seat_components.evaluation.case import Attacked, Case
from seat_components.evaluation.slices import save_slice
from seat_components.records.slices import largest_falls, read_slices
from seat_components.refusals import RefusalError


def test_the_largest_falls_come_first_and_undefined_ones_last(tmp_path: Path) -> None:
    for case, attacked in {"a": 0.8, "b": 0.1, "c": 0.5, "d": math.nan, "e": 0.1}.items():
        write_slice(tmp_path, case, attacked if math.isfinite(attacked) else 0.5, attacked_dice=attacked)
    slices = read_slices(tmp_path / "slices")
    assert [one.case for one in slices] == ["a", "b", "c", "d", "e"]
    assert [one.case for one in largest_falls(slices)] == ["b", "e", "c"]
    assert [one.case for one in largest_falls(slices, 9)] == ["b", "e", "c", "a", "d"]


def test_no_folder_has_no_slices(tmp_path: Path) -> None:
    assert read_slices(tmp_path / "slices") == []


def test_budget_is_optional(tmp_path: Path) -> None:
    write_slice(tmp_path, "with", budget=0.5)
    write_slice(tmp_path, "without", budget=None)
    found = {one.case: one.budget for one in read_slices(tmp_path / "slices")}
    assert found["with"] == 0.5
    assert math.isnan(found["without"])


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"label": None}, "has no 'label'"),
        ({"label": np.zeros((40, 51))}, "all of one shape"),
        ({"image": np.zeros((40, 52, 3))}, "2D slice"),
        ({"image": np.full((40, 52), np.nan)}, "finite"),
        ({"image": np.full((40, 52), "x")}, "2D slice"),
        ({"eps_255": "eight"}, "must be one number"),
        ({"eps_255": np.zeros(2)}, "must be one number"),
        ({"image": np.full((40, 52), None)}, "not readable"),
    ],
)
def test_malformed_is_refused_by_file_and_rule(tmp_path: Path, changed: dict[str, Any], rule: str) -> None:
    write_slice(tmp_path, "case", **changed)
    with pytest.raises(RefusalError, match=r"case\.npz") as refusal:
        read_slices(tmp_path / "slices")
    assert rule in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"plain text"])
def test_broken_archives_are_refused(tmp_path: Path, content: bytes) -> None:
    write_slice(tmp_path, "case").write_bytes(content)
    with pytest.raises(RefusalError, match=r"case\.npz"):
        read_slices(tmp_path / "slices")


def test_reads_what_the_evaluation_writes(tmp_path: Path) -> None:
    image, label = torch.rand(1, 1, 4, 5, 6), torch.zeros(1, 1, 4, 5, 6)
    label[..., 3] = 1
    clean = Attacked("clean", 0.0, image, label, torch.tensor([[0.75]]))
    worst = Attacked("pgd-ce", 8.0, image + 0.25, label, torch.tensor([[0.25]]))
    path = tmp_path / "slices" / "one.npz"
    path.parent.mkdir()
    save_slice(path.parent, Case("one", 0, image, label), clean, worst, torch.full((1, 1, 1, 1, 1), 0.5))
    (one,) = read_slices(path.parent)
    assert (one.attack, one.eps_255, one.budget, one.fall) == ("pgd-ce", 8.0, 0.5, 0.5)
    np.testing.assert_allclose(one.perturbation, 0.25, atol=1e-6)
    assert one.label.all()
