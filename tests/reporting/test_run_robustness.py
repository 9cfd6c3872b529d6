"""robustness.json as the report reads it: averages, worst cases, refusals, and the evaluation's own file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fabricated_records import ATTACKS, EPS, robustness, write_json

from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.robustness import AttackedEvaluation, Robustness, read_robustness
from seat_components.refusals import RefusalError

Change = Callable[[dict[str, Any]], None]


def record_of(folder: Path, values: dict[str, Any]) -> Robustness:
    write_json(folder / "robustness.json", values)
    return read_robustness(folder / "robustness.json")


def summary(*rows: tuple[str, float, float]) -> dict[str, Any]:
    found = [{"attack": attack, "eps_255": eps, "mean_dice": dice, "dice": {}} for attack, eps, dice in rows]
    return robustness() | {"summary": found}


def test_values_in_are_values_out(tmp_path: Path) -> None:
    values = robustness()
    record = record_of(tmp_path, values)
    assert len(record.summary) == len(values["summary"])
    for row in values["summary"]:
        assert record.mean_dice(row["attack"], row["eps_255"]) == row["mean_dice"]
    assert record.budgets == list(EPS)
    assert set(record.cost) == set(ATTACKS)
    assert len(record.case_names) == 12


def test_average_counts_attacks_only(tmp_path: Path) -> None:
    rows = (("clean", 0, 0.9), ("random", 8, 0.88), ("pgd-ce", 8, 0.4), ("square", 8, 0.6), ("worst", 8, 0.1))
    record = record_of(tmp_path, summary(*rows))
    assert record.average(8) == 0.5
    assert record.average_curve() == ([0, 8], [0.9, 0.5])
    assert record.curve("worst") == ([0, 8], [0.9, 0.1])
    assert math.isnan(record.average(4))


def test_curves_ascend_and_leave_out_what_is_undefined(tmp_path: Path) -> None:
    record = record_of(tmp_path, summary(("pgd-ce", 8, 0.2), ("pgd-ce", 2, 0.5)))
    assert record.curve("pgd-ce") == ([2, 8], [0.5, 0.2])


@pytest.mark.parametrize(("budgets", "compared"), [((2, 8, 10), 8), ((2, 4), 4), ((), None)])
def test_tables_compare_at_the_papers_budget_where_it_ran(
    tmp_path: Path, budgets: tuple[float, ...], compared: float | None
) -> None:
    record = record_of(tmp_path, summary(*(("pgd-ce", eps, 0.5) for eps in budgets)))
    assert record.compared_eps == compared


def test_worst_of_a_case_is_its_own_row_and_an_unfinished_case_has_none(tmp_path: Path) -> None:
    def row(case: str, attack: str, eps: float, dice: float) -> dict[str, Any]:
        return {"case": case, "attack": attack, "eps_255": eps, "dice": {"a": dice, "b": dice}}

    values = robustness() | {
        "cases": [
            *(row("one", "clean", 0, 0.9), row("one", "pgd-ce", 8, 0.5), row("one", "worst", 8, 0.3)),
            *(row("two", "clean", 0, 0.8), row("two", "pgd-ce", 8, 0.5), row("two", "square", 8, 0.4)),
            *(row("three", "worst", 8, 0.2), row("one", "worst", 4, 0.4)),
        ]
    }
    assert record_of(tmp_path, values).clean_and_worst(8) == {"one": (0.9, 0.3)}


def test_case_mean_leaves_out_undefined_classes(tmp_path: Path) -> None:
    row = {"case": "one", "attack": "clean", "eps_255": 0, "dice": {"a": 0.5, "b": None}}
    record = record_of(tmp_path, robustness() | {"cases": [row]})
    assert record.cases[0].mean_dice == 0.5


def test_alarms_may_be_texts_or_named(tmp_path: Path) -> None:
    record = record_of(tmp_path, robustness() | {"alarms": ["plain", {"alarm": "name", "message": "what"}]})
    assert [str(alarm) for alarm in record.alarms] == ["plain", "name: what"]


def _set(*path: str | int, to: Any) -> Change:
    def change(values: dict[str, Any]) -> None:
        inner: Any = values
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_set("summary", to=None), "'summary' is missing, but it must be a list"),
        (_set("summary", 0, to=3), "summary[0] is the number 3, but it must be an object"),
        (_set("summary", 0, "mean_dice", to=1.5), "between 0 and 1"),
        (_set("summary", 0, "mean_dice", to="high"), "must be a number or null"),
        (_set("summary", 0, "attack", to=None), "'attack' is missing"),
        (_set("summary", 3, "eps_255", to=-1), "'eps_255' is -1"),
        (_set("cases", 0, "eps_255", to=8), "clean has eps_255 0"),
        (_set("cases", 0, "dice", to=[0.5]), "must be an object"),
        (_set("protocol", to=None), "'protocol' is missing"),
        (_set("alarms", to=[7]), "alarms[0]"),
        (lambda values: values["summary"].append(values["summary"][1]), "more than once"),
    ],
)
def test_malformed_is_refused_by_file_and_rule(tmp_path: Path, change: Change, rule: str) -> None:
    values = robustness()
    change(values)
    with pytest.raises(RefusalError, match=r"robustness\.json") as refusal:
        record_of(tmp_path, values)
    assert rule in str(refusal.value)


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "robustness.json").write_text(text, encoding="utf-8")
    with pytest.raises(RefusalError, match=r"robustness\.json"):
        read_robustness(tmp_path / "robustness.json")


def test_reads_what_the_evaluation_writes(tmp_path: Path) -> None:
    header = AttackedEvaluation(bundle="b", protocol="quick", settings={"pgd-ce": {"steps": 5}})
    records = RobustnessRecords(tmp_path, header, ["a", "b"])
    records.add("one", "clean", 0.0, [0.9, 0.7], 0.0)
    records.add("one", "pgd-ce", 8, [0.4, 0.2], 1.0)
    records.add_cost("pgd-ce", 6, 5, 1.5)
    records.write([{"alarm": "name", "message": "what"}])
    record = read_robustness(tmp_path / "robustness.json")
    assert record.clean_and_worst(8) == {"one": (pytest.approx(0.8), pytest.approx(0.3))}
    assert record.mean_dice("worst", 8) == json.loads(records.path.read_text())["summary"][-1]["mean_dice"]
    assert record.options == {"pgd-ce": "steps 5"}
    assert [str(alarm) for alarm in record.alarms] == ["name: what"]
