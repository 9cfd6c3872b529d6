"""What a GPU needs is told without one, and grows as it must."""

from dataclasses import replace

import pytest

from seat_components.tasks import load_task
from tools.gpu_needs import GPUS, lines, step_traffic

SMALL = replace(load_task("Task04_Hippocampus"), train_patch=(16, 24, 16))


def test_there_is_a_line_for_each_task_and_16_bit_needs_less():
    head, rule, row = lines([SMALL], amp=True, replays=5)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert head.count("|") == rule.count("|") == row.count("|")
    assert cells[0] == SMALL.name
    assert len(cells) == 4 + 2 * len(GPUS)
    assert [cells[4], cells[6], cells[8]] == ["1"] * 3, "so small a batch fits in one piece"
    half, single = (step_traffic(SMALL, amp) for amp in (True, False))
    assert 1.3 < single / half < 2


def test_traffic_grows_with_the_patch():
    double = replace(SMALL, train_patch=(32, 24, 16))
    assert step_traffic(double, amp=True) == pytest.approx(2 * step_traffic(SMALL, amp=True), rel=0.1)
