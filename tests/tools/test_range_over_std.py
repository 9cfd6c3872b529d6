"""How many standard deviations the patches of a task's training cases are wide, and which of them count."""

import pytest
import torch

from seat_components.data import write_phantom
from seat_components.tasks import load_task
from tools import range_over_std


def test_an_image_of_two_values_is_two_standard_deviations_wide():
    halves = torch.tensor([[[-3.0, 5.0, 5.0, -3.0], [0.1, 0.1, 0.1, 0.1]]])
    assert range_over_std.ratio(halves) == pytest.approx(2)


def test_each_training_case_is_looked_at(tmp_path, capsys):
    write_phantom(load_task("Task04_Hippocampus"), tmp_path, cases=(3, 1))
    range_over_std.main(["--dataset_dir", str(tmp_path)])
    *_, count = capsys.readouterr().out.splitlines()
    assert count == "3 training cases"
    assert all(2 <= ratio < 50 for ratio in range_over_std.ratios(range_over_std.BUNDLE, tmp_path))
