"""The Dice rule by hand, and surface metrics of two cubes whose distance is known."""

import json

import pytest
import torch
from ignite.engine import Engine
from monai.networks.utils import one_hot

from seat_components.evaluation import ForegroundDice, MetricsRecord, dice_per_class, robustness_of
from seat_components.reporting import read_run

NAMES = {"0": "background", "1": "left", "2": "right"}


def volume(*cubes, size=12):
    mask = torch.zeros(1, 1, size, size, size, dtype=torch.long)
    for value, start, stop in cubes:
        mask[0, 0, start:stop, start:stop, start:stop] = value
    return mask


PAIRS = pytest.mark.parametrize(
    ("prediction", "label", "expected"),
    [
        (volume((1, 0, 4), (2, 6, 8)), volume((1, 0, 4), (2, 6, 8)), [1.0, 1.0]),
        (volume((1, 0, 4)), volume((1, 0, 4)), [1.0, 1.0]),  # class 2 is absent from both
        (volume((1, 0, 4), (2, 6, 8)), volume((1, 0, 4)), [1.0, 0.0]),  # found where there is none
        (volume((1, 0, 4)), volume((1, 0, 4), (2, 6, 8)), [1.0, 0.0]),  # missed
        (volume((1, 0, 4)), volume((1, 0, 2)), [2 * 8 / (64 + 8), 1.0]),
    ],
)


@PAIRS
def test_the_rule_for_absent_classes(prediction, label, expected):
    assert dice_per_class(prediction, label, classes=3)[0].tolist() == pytest.approx(expected)


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights")
    return file


@PAIRS
def test_validation_evaluation_attack_and_report_have_the_same_rule(prediction, label, expected, tmp_path, weights):
    validation = ForegroundDice(classes=3)
    evaluator = Engine(lambda *_: [{"pred": prediction[0], "label": label[0]}])
    validation.attach(evaluator, "dice")
    evaluator.run([0])
    assert evaluator.state.metrics["dice"] == pytest.approx(sum(expected) / 2)

    evaluation = record(tmp_path, weights)
    evaluation.add("one", prediction, label, [1.0] * 3)
    evaluation.write()

    logits = one_hot(prediction, 3)
    attacked = robustness_of(
        lambda image: logits + 0 * image, [("one", torch.rand(1, 1, *label.shape[2:]), label)],
        labels=list(NAMES.values()), protocol="quick", steps=1,
    )  # fmt: skip
    (tmp_path / "robustness.json").write_text(json.dumps({**attacked, "bundle": "bundle", "weights_sha256": ""}))
    reported = read_run(tmp_path)
    assert reported.metrics.dice_of_cases["one"] == pytest.approx(sum(expected) / 2)
    for row in reported.robustness.summary:
        assert list(row.dice.values()) == pytest.approx(expected)


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
    cases = [{"image": "/data/one.nii.gz"}, {"image": "/data/two.nii.gz"}]
    assert first.remaining(cases) == cases
    first.add("one", volume((1, 0, 4)), volume((1, 0, 4)), [1.0] * 3)
    first.write()
    again = record(tmp_path, weights)
    assert again.remaining(cases) == cases[1:]
    weights.write_bytes(b"other weights")
    assert record(tmp_path, weights).remaining(cases) == cases
