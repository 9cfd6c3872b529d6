"""The Dice rule by hand, and surface metrics of two cubes whose distance is known."""

import json

import pytest
import torch

from seat_components.evaluation import MetricsRecord, dice_per_class

NAMES = {"0": "background", "1": "left", "2": "right"}


def volume(*cubes, size=12):
    mask = torch.zeros(1, 1, size, size, size, dtype=torch.long)
    for value, start, stop in cubes:
        mask[0, 0, start:stop, start:stop, start:stop] = value
    return mask


@pytest.mark.parametrize(
    ("prediction", "label", "expected"),
    [
        (volume((1, 0, 4), (2, 6, 8)), volume((1, 0, 4), (2, 6, 8)), [1.0, 1.0]),
        (volume((1, 0, 4)), volume((1, 0, 4)), [1.0, 1.0]),  # class 2 is absent from both
        (volume((1, 0, 4), (2, 6, 8)), volume((1, 0, 4)), [1.0, 0.0]),  # found where there is none
        (volume((1, 0, 4)), volume((1, 0, 4), (2, 6, 8)), [1.0, 0.0]),  # missed
        (volume((1, 0, 4)), volume((1, 0, 2)), [2 * 8 / (64 + 8), 1.0]),
    ],
)
def test_the_rule_for_absent_classes(prediction, label, expected):
    assert dice_per_class(prediction, label, classes=3)[0].tolist() == pytest.approx(expected)


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights")
    return file


def record(folder, weights):
    return MetricsRecord(folder, weights, "bundle", NAMES)


def test_surface_metrics_are_in_millimetres_and_undefined_where_a_class_is_absent(tmp_path, weights):
    made = record(tmp_path, weights)
    label, prediction = volume((1, 2, 6)), volume((1, 2, 6)).roll(2, dims=4)
    made.add("shifted", prediction, label, spacing=[1.0, 1.0, 3.0])
    made.write()
    case = json.loads(made.path.read_text())["cases"][0]
    assert case["hausdorff95_mm"] == {"left": pytest.approx(6.0), "right": None}
    assert 0 < case["surface_distance_mm"]["left"] < 6
    assert case["dice"] == {"left": pytest.approx(0.5), "right": 1.0}


def test_cases_that_the_record_holds_are_not_evaluated_again(tmp_path, weights):
    first = record(tmp_path, weights)
    first.add("one", volume((1, 0, 4)), volume((1, 0, 4)), [1.0] * 3)
    first.write()
    cases = [{"image": "/data/one.nii.gz"}, {"image": "/data/two.nii.gz"}]
    again = record(tmp_path, weights)
    assert again.remaining(cases) == cases[1:]
    weights.write_bytes(b"other weights")
    assert record(tmp_path, weights).remaining(cases) == cases
