"""Records as models: as read, as written, to the byte; faults are refused by place and in words."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.attacked import AttackedCase, CheckedCase
from seat_components.records.history import COLUMNS, Epoch, columns_of
from seat_components.records.metrics import Metrics
from seat_components.records.model import validated
from seat_components.records.numbers import mean_of
from seat_components.records.robustness import AttackedEvaluation, Robustness
from seat_components.records.run import RunDescription
from seat_components.records.table import parse_table, table_text
from seat_components.records.theory import Theory
from seat_components.refusals import RefusalError

DICE = {"left": 0.5, "right": 1}
LATER = {"a field of a later version": [1, 2.0, None]}
ROW = {"case": "one", "attack": "pgd-ce", "eps_255": 8, "dice": DICE, "linf_over_budget": 1.0}
HEAD = {"bundle": "b", "weights_sha256": "a" * 64, "protocol": "quick", "settings": {"pgd-ce": {"radii": [2, 1.5]}}}
CASE = {"case": "one", "files": None, "mean_dice": 0.75, "dice": DICE, "hausdorff95_mm": {"left": 1.5, "right": None}}
WRITTEN = {
    Robustness: {
        **HEAD, "seed": 0, "scope": "patch", "data": "D", "val_patch_size": [16, 16], "versions": {"torch": "2"},
        "rule": "", "device": "cpu",
        "summary": [{"attack": "worst", "eps_255": 8, "cases": 1, "mean_dice": 0.75, "dice": DICE}],
        "cases": [
            {**ROW, **LATER}, {**ROW, "attack": "square", "skipped": True, "of": "pgd-ce"},
            {"dice": DICE, "linf_over_budget": 1.0, "case": "one", "attack": "worst", "eps_255": 8, "of": "pgd-ce"},
        ],
        "unfinished": [], "checks": [{"check": "zero gradients", "case": "one", "value": 0.0, **LATER}],
        "least_budgets": [
            {"case": "one", "eps_255": 7.5, "kept_255": 7.25, "clean_dice": 0.75, "dice": 0, "of": "pgd-ce",
             "forwards": 9, "backwards": 8},
            {"case": "two", "eps_255": None, "kept_255": 64, "clean_dice": 0.75, "dice": 0.5, "forwards": 21,
             "backwards": 20},
        ],
        "cost": {"pgd-ce": {"forwards": 3, "backwards": 2, "seconds": 0.5}}, "alarms": [{"alarm": "a", "message": "m"}],
    },
    Metrics: {
        "bundle": "b", "weights_sha256": "a" * 64, "data": "", "val_patch_size": None, "rule": "r", "versions": {},
        "device": "cuda:0", "gpu": "Model X", "tf32": True, "amp": False, "operators": "stock",
        "summary": {"mean_dice": None, "dice": {"left": None}}, "cases": [{**CASE, **LATER}],
    },
    RunDescription: {"bundle": "b", "task": "T", "method": "SEAT", "epochs": 3, "label_names": {"1": "left"}, **LATER},
    Theory: {"cases": 2, "margins": [1, -0.5], "log_complexity": None, "gradient_norm_1": 1, "gradient_norm_2": 0.5},
}  # fmt: skip


@pytest.mark.parametrize("model", WRITTEN)
def test_what_is_read_is_written_again_to_the_byte(model):
    text = json.dumps(WRITTEN[model], indent=1)
    assert validated(model, json.loads(text), "file").text() == text


def test_what_was_not_measured_is_null_and_infinity_is_not_written():
    row = AttackedCase(case="one", attack="clean", eps_255=0, dice={"left": math.nan})
    assert row.as_json()["dice"] == {"left": None}
    assert math.isnan(AttackedCase.model_validate(row.as_json()).mean_dice)
    with pytest.raises(ValueError, match="not JSON compliant"):
        AttackedCase(case="one", attack="clean", eps_255=0, dice={}, linf_over_budget=math.inf).text()


FAULTS = [
    (Robustness, ("cases", 1, "eps_255"), "8", r"cases\[1\]: 'eps_255' is the text '8', but it must be a number"),
    (Robustness, ("cases", 0, "dice", "left"), 1.5, r"cases\[0\]: 'dice.left' is 1.5, but a Dice coefficient"),
    (Robustness, ("cases", 0, "case"), "", r"cases\[0\]: 'case' is the text '', but it must be a text that is not"),
    (Robustness, ("cases", 0, "attack"), "clean", r"cases\[0\]: 'eps_255' is 8, but the attack clean has eps_255 0"),
    (Robustness, ("cost", "pgd-ce", "seconds"), None, "'cost.pgd-ce.seconds' is missing, but it must be a number"),
    (Robustness, ("least_budgets", 1, "eps_255"), "8", r"least_budgets\[1\]: 'eps_255"),
    (Robustness, ("seed",), 1.5, "'seed' is the number 1.5, but it must be a whole number"),
    (Robustness, ("protocol",), 3, "'protocol' is the number 3, but it must be a text"),
    (Metrics, ("cases",), {}, "'cases' is an object, but it must be a list"),
    (Metrics, ("cases", 0), 7, r"cases\[0\] is the number 7, but it must be an object with named fields"),
    (Metrics, ("summary", "mean_dice"), True, "'summary.mean_dice' is true or false, but it must be"),
    (RunDescription, ("label_names", "1"), None, "'label_names.1' is missing, but it must be a text"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "place", "value", "words"), FAULTS)
def test_a_fault_is_refused_by_file_place_and_rule(model, place, value, words):
    content = inner = json.loads(json.dumps(WRITTEN[model]))
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(RefusalError, match=rf"^run/file\.json(: | )?{words}"):
        validated(model, content, "run/file.json")


def test_what_lacks_is_named():
    content = {name: value for name, value in WRITTEN[Metrics].items() if name != "summary"}
    with pytest.raises(RefusalError, match=r"^file has no 'summary', but it must have it"):
        validated(Metrics, content, "file")


def test_a_field_more_of_a_result_is_written_and_read_by_those_who_know_it(tmp_path):
    header = AttackedEvaluation(bundle="b", weights_sha256="a" * 64, protocol="quick")
    made = RobustnessRecords(tmp_path, header, ["left"])
    made.add("one", "clean", 0.0, [0.5], 0.0, later="more")
    made.checks.append(CheckedCase(check="c", case="one", value=0.0, draws=3))
    made.volumes["one"] = {"left": 1.0}
    made.write()
    again = RobustnessRecords(tmp_path, header, ["left"])
    assert again.content() == made.content()
    assert (again.content()["cases"][0]["later"], again.content()["checks"][0]["draws"]) == ("more", 3)


@given(st.lists(st.floats(-1e14, 1e14), min_size=len(COLUMNS) + 1, max_size=len(COLUMNS) + 1))
def test_numbers_of_a_table_read_back_as_the_same_numbers(values):
    row = dict(zip(columns_of(["left"]), values, strict=True))
    (read,) = parse_table(Epoch, table_text(list(row), [row]))
    assert read.as_json() == row
    assert math.isnan(parse_table(Epoch, table_text(list(row), [{**row, "g": None}]))[0].g)


@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=6))
def test_a_mean_is_of_what_was_measured(values):
    measured = [value for value in values if not math.isnan(value)]
    mean = mean_of(values)
    assert math.isnan(mean) == (not measured)
    assert not measured or min(measured) - 1e-12 <= mean <= max(measured) + 1e-12
