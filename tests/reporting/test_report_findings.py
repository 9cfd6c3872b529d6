"""What the page begins with: the finding and its limits, a picture, a list of contents; and its table of cases."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from fabricated_records import WrittenReport, robustness, write_history, write_json, write_run, write_slice

from seat_components.records.slices import read_slices, typical_case
from seat_components.reporting import read_run, write_report
from seat_components.reporting.case_table import case_table
from seat_components.reporting.findings import findings, limits


def test_the_finding_is_the_records_and_stands_first(written_report: WrittenReport) -> None:
    (run, _) = written_report.runs
    assert run.robustness is not None
    whole, attacked = findings(run)
    assert whole == "Without attack, the whole volumes of 12 cases have a mean Dice of 0.81."
    pairs = run.robustness.clean_and_worst(8)
    case = min(pairs, key=lambda name: pairs[name][1])
    left = run.robustness.mean_dice("worst", 8)
    for words in (
        "up to 8/255 of its range",
        f"from {run.robustness.clean:.2f} to {left:.2f}",
        f"{case}: {pairs[case][1]:.2f}",
    ):
        assert words in attacked
    text = written_report.text
    places = [
        text.index(part) for part in (whole, attacked, "a stronger attack may leave less", "<img", "<nav", "<table")
    ]
    assert places == sorted(places)


def test_few_cases_have_no_interval_and_one_has_no_worst(tmp_path: Path) -> None:
    for cases, words in ((6, "95 % interval"), (5, "least is left of"), (1, "mean Dice of 1 case falls")):
        write_json(tmp_path / "robustness.json", robustness(cases=cases))
        (said,) = findings(read_run(tmp_path))
        assert words in said
        assert ("95 % interval" in said) == (cases == 6)
        assert ("least is left of" in said) == (cases > 1)


def test_limits_say_what_was_attacked_and_on_what(tmp_path: Path) -> None:
    write_json(tmp_path / "robustness.json", robustness(cases=2) | {"scope": "volume", "data": "phantom volumes"})
    said = limits([read_run(tmp_path)])
    assert "the attacks of strong found" in said
    assert "computer-made" in said
    assert "not its whole volume" not in said
    write_json(tmp_path / "robustness.json", robustness(cases=2) | {"scope": "patch"})
    assert "not its whole volume" in limits([read_run(tmp_path)])


def test_the_picture_is_of_the_median_case_that_all_runs_have(tmp_path: Path) -> None:
    for case, attacked in {"a": 0.8, "b": 0.1, "c": 0.5, "d": 0.6, "e": 0.7}.items():
        write_slice(tmp_path / "one", case, attacked)
    for case, attacked in {"b": 0.1, "c": 0.1, "e": 0.8}.items():
        write_slice(tmp_path / "two", case, attacked)
    one, two = (read_slices(tmp_path / name / "slices") for name in ("one", "two"))
    assert typical_case([one]) == "d"
    assert typical_case([one, two]) == "c"
    assert typical_case([one[:1], two]) == typical_case([]) == ""


def test_every_heading_is_in_the_list_of_contents(written_report: WrittenReport) -> None:
    listed = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a></li>', written_report.text)
    assert listed == re.findall(r'<h2 id="([^"]+)">([^<]+)</h2>', written_report.text)
    assert [name for _, name in listed] == ["Training", "Clean accuracy", "Robustness", "Cases", "Cost and protocol"]


@pytest.mark.parametrize("kind", ["style", "script"])
def test_a_browser_takes_this_style_and_script_and_no_others(written_report: WrittenReport, kind: str) -> None:
    (inside,) = re.findall(f"<{kind}>(.*?)</{kind}>", written_report.text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
    assert "default-src 'none'; img-src data:; style-src" in written_report.text
    assert f"{kind}-src 'sha256-{digest}'" in written_report.text


def test_each_case_has_a_line_and_the_largest_fall_is_first(written_report: WrittenReport) -> None:
    (run, _) = written_report.runs
    assert run.robustness is not None
    table = case_table(run)
    assert table is not None
    pairs = run.robustness.clean_and_worst(8)
    expected = sorted(pairs, key=lambda case: pairs[case][1] - pairs[case][0])
    assert [row[0] for row in table.rows] == expected
    place = table.header.index("Worst, ε = 8/255")
    assert [row[place] for row in table.rows] == [f"{pairs[case][1]:.4f}" for case in expected]
    assert {row[table.header.index("Least ε · 255")] for row in table.rows} >= {"above 64", "5"}
    assert '<table class="sorts">' in table.html()


def test_one_point_is_no_figure(tmp_path: Path) -> None:
    values = robustness(cases=1)
    for rows in ("summary", "cases", "budget_over_std"):
        values[rows] = [row for row in values[rows] if row["eps_255"] in (0, 8)]
    write_json(tmp_path / "robustness.json", values)
    write_history(tmp_path, epochs=1)
    assert sorted(path.name for path in write_report([tmp_path]).parent.glob("*.png")) == []
    write_slice(tmp_path, "case")
    pictures = write_report([tmp_path]).parent.glob("*.png")
    assert sorted(path.name for path in pictures) == ["report_finding.png", "report_slices_1.png"]


def test_labels_have_their_names_from_any_record(tmp_path: Path) -> None:
    run = write_run(tmp_path, epochs=2, cases=2)
    for without in ("run.json", "robustness.json", "metrics.json", "training_history.csv"):
        read = read_run(run)
        assert [read.label_name(value) for value in ("1", "2", "3", "Anterior")] == [
            "Anterior",
            "Posterior",
            "3",
            "Anterior",
        ]
        (run / without).unlink()
    assert read_run(run).label_name("1") == "1"
    write_json(run / "run.json", {"label_names": json.loads('{"1": "left"}')})
    assert read_run(run).label_name("1") == "left"
