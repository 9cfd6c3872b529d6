"""The paper's Tables 1 and 2 against values typed from the print."""

from __future__ import annotations

import pytest

from seat_components.reporting import paper


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("Task04_Hippocampus", 3),
        ("msd_task04_hippocampus", 3),
        ("Task01_BrainTumour", 0),
        ("msd_task01_brain_tumour", 0),
        ("msd_task08_hepatic_vessel", 7),
        ("Task04_MyOwn", None),
        ("", None),
    ],
)
def test_tasks_and_bundles_are_known_by_name(name: str, index: int | None) -> None:
    assert paper.task_index(name) == index


def test_table_1() -> None:
    assert paper.backpropagations("Task04_Hippocampus") == {"SEAT": 657, "SEAT-FT": 609, "FREE/FREE-FT": 1500}
    assert paper.backpropagations("Task10_Colon")["SEAT"] == 993
    assert paper.backpropagations("Task11_Own") == {}


def test_table_2() -> None:
    assert paper.dice("Task04_Hippocampus", "clean") == {"300": 0.8034, "400": 0.8255, "500": 0.8379}
    assert paper.dice("Task04_Hippocampus", "apgd-ce")["500"] == 0.1825
    assert paper.dice("Task04_Hippocampus", "pgd-ce")["500"] == 0.3663
    assert paper.dice("Task02_Heart", "square")["500"] == 0.8359
    assert paper.dice("Task04_Hippocampus", "segpgd") == {}
    assert paper.dice("Task11_Own", "clean") == {}
