"""A table in gives the table out; worst is per case; a file of other weights is kept aside."""

import csv
import json

import pytest

from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.attacked import CheckedCase, Cost
from seat_components.records.robustness import AttackedEvaluation
from seat_components.refusals import RefusalError

LABELS = ["Anterior", "Posterior"]
HEADER = {
    "bundle": "b",
    "weights_sha256": "a" * 64,
    "protocol": "quick",
    "settings": {"pgd-ce": {}},
    "seed": 0,
    "scope": "patch",
    "data": "Hippocampus",
}
ROWS = [
    ("one", "clean", 0.0, [0.9, 0.7]),
    ("one", "random", 8, [0.9, 0.6]),
    ("one", "pgd-ce", 8, [0.2, 0.4]),
    ("one", "apgd-ce", 8, [0.4, 0.1]),
    ("two", "clean", 0.0, [0.5, 0.5]),
    ("two", "random", 8, [0.7, 0.5]),
    ("two", "pgd-ce", 8, [0.8, 0.6]),
    ("two", "apgd-ce", 8, [0.6, 0.6]),
]


def records(folder, header=HEADER, rows=ROWS):
    made = RobustnessRecords(folder, AttackedEvaluation(**header), LABELS)
    for case, attack, eps, dice in rows:
        made.add(case, attack, eps, dice, linf_over_budget=1.0 if eps else 0.0)
    return made


def test_the_summary_is_the_mean_over_all_cases_and_worst_is_per_case(tmp_path):
    made = records(tmp_path)
    made.write()
    summary = {(row["attack"], row["eps_255"]): row for row in json.loads(made.path.read_text())["summary"]}
    assert summary[("clean", 0.0)]["mean_dice"] == pytest.approx((0.8 + 0.5) / 2)
    assert summary[("pgd-ce", 8)]["dice"] == pytest.approx({"Anterior": 0.5, "Posterior": 0.5})
    # Case one falls to APGD; case two is at its worst without any attack.
    assert summary[("worst", 8)]["mean_dice"] == pytest.approx((0.25 + 0.5) / 2)
    worst = [row for row in made.content()["cases"] if row["attack"] == "worst"]
    assert [(row["case"], row["of"]) for row in worst] == [("one", "apgd-ce"), ("two", "clean")]


def test_the_worst_at_a_budget_includes_what_smaller_budgets_found():
    rows = [
        ("one", "clean", 0.0, [0.9, 0.9]),
        ("one", "pgd-ce", 8, [0.5, 0.5]),
        ("one", "pgd-ce", 4, [0.3, 0.3]),
        ("one", "pgd-ce", 2, [0.6, 0.6]),
        ("one", "fab", 2, [0.2, 0.2]),
        ("two", "clean", 0.0, [0.1, 0.1]),
        ("two", "pgd-ce", 2, [0.2, 0.2]),
        ("two", "pgd-ce", 8, [0.0, 0.0]),
    ]
    worst = {(row["case"], row["eps_255"]): row for row in records(None, rows=rows).content()["cases"] if "of" in row}
    assert {key: (row["of"], row.get("of_eps_255"), row["linf_over_budget"]) for key, row in worst.items()} == {
        ("one", 2): ("fab", None, 1.0), ("one", 4): ("fab", 2, 0.5), ("one", 8): ("fab", 2, 0.25),
        ("two", 2): ("clean", None, 0.0), ("two", 8): ("pgd-ce", None, 1.0),
    }  # fmt: skip


def test_csv_and_json_hold_the_same_rows(tmp_path):
    made = records(tmp_path)
    made.write()
    with made.path.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    content = json.loads(made.path.read_text())["cases"]
    assert len(rows) == len(content) == len(ROWS) + 2
    for row, other in zip(rows, content, strict=True):
        assert (row["case"], row["attack"]) == (other["case"], other["attack"])
        assert float(row["dice_Anterior"]) == other["dice"]["Anterior"]
        assert float(row["mean_dice"]) == pytest.approx(sum(other["dice"].values()) / 2)


def test_what_is_read_again_goes_on_as_if_never_stopped(tmp_path):
    first = records(tmp_path / "parts", rows=ROWS[:5])
    first.add_cost("pgd-ce", 10, 9, 1.5)
    first.write()
    second = RobustnessRecords(tmp_path / "parts", AttackedEvaluation(**HEADER), LABELS)
    assert second.has("one", "apgd-ce", 8)
    assert not second.has("two", "apgd-ce", 8)
    for case, attack, eps, dice in ROWS[5:]:
        second.add(case, attack, eps, dice, 1.0)
    second.add_cost("pgd-ce", 1, 1, 0.5)
    whole = records(tmp_path / "whole").content()
    assert second.content()["summary"] == whole["summary"]
    assert second.content()["cases"] == whole["cases"]
    assert second.cost == {"pgd-ce": Cost(forwards=11, backwards=10, seconds=2.0)}


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "b" * 64}, {"seed": 1}, {"settings": {"pgd-ce": {"steps": 9}}}, {"scope": "volume"},
        {"data": "phantoms"}, {"budget": "contrast"},
    ],
)  # fmt: skip
def test_a_record_of_something_else_is_kept_aside(tmp_path, change):
    records(tmp_path).write()
    other = RobustnessRecords(tmp_path, AttackedEvaluation(**{**HEADER, **change}), LABELS)
    assert other.cases == []
    other.write()
    kept = json.loads((tmp_path / "robustness_aaaaaaaa.json").read_text())
    assert len(kept["cases"]) == len(ROWS) + 2


def test_a_file_that_is_no_record_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "robustness.json"
    path.write_text("[1, 2")
    with pytest.raises(RefusalError, match=r"robustness\.json is not valid JSON.*another --output_dir"):
        RobustnessRecords(tmp_path, AttackedEvaluation(**HEADER), LABELS)
    assert path.read_text() == "[1, 2"


def test_a_case_of_other_files_leaves_nothing_behind_and_the_rest_stays(tmp_path):
    """Stopped within the changed case: what is left is the record of the other one."""
    made, alone = (records(tmp_path / name, rows=ROWS[start:]) for name, start in (("both", 0), ("alone", 4)))
    for record, names in ((made, ("one", "two")), (alone, ("two",))):
        for name in names:
            record.volumes[name] = dict.fromkeys(LABELS, 1.0)
            record.checks.append(CheckedCase(check="zero gradients", case=name, value=0.0))
            record.files[name] = name
    made.unfinished.add("one")
    made.add_cost("pgd-ce", 1, 1, 0.5)
    assert not made.drop_stale({"one": "one", "two": "two", "three": "three"})
    assert made.drop_stale({"one": "changed", "two": "two"})
    assert made.content() == {**alone.content(), "cost": made.content()["cost"]}
    assert made.cost
    assert made.drop_stale({"one": "changed", "two": "changed"})
    assert (made.cases, made.cost) == ([], {}), "nothing is left, and it has cost nothing"


def test_a_record_names_every_version_that_its_results_come_from(tmp_path):
    for version in ("2.6", "2.7", "2.7"):
        made = records(tmp_path, {**HEADER, "versions": {"torch": version, "numpy": "2"}}, rows=[])
        made.write()
    assert json.loads(made.path.read_text())["versions"] == {"torch": "2.6, 2.7", "numpy": "2"}
