"""The page: values in are values shown, everything inside one file, text escaped, parts said to be missing."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fabricated_records import WrittenReport, metrics, robustness, write_history, write_json, write_run, write_slice

from seat_components.records.alarm_names import ALARM_NAMES
from seat_components.refusals import RefusalError
from seat_components.reporting import write_report

VOID = ("meta", "img")


class Cells(HTMLParser):
    """Rows of all tables as lists of texts; also fails on tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, _attrs: Any) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_every_value_of_the_summary_at_8_is_in_a_table(written_report: WrittenReport) -> None:
    rows = Cells(written_report.text).rows
    for run in written_report.runs:
        assert run.robustness is not None
        for row in run.robustness.summary:
            if row.eps_255 in (0, 8):
                values = [f"{value:.4f}" for value in (row.mean_dice, *row.dice.values())]
                assert any(found[:4] == [row.attack, *values] for found in rows)


def test_key_numbers(written_report: WrittenReport) -> None:
    rows = {row[0]: row[1:] for row in reversed(Cells(written_report.text).rows)}
    seat, clean = (run.robustness for run in written_report.runs)
    assert seat is not None
    assert clean is not None
    assert rows["Method"] == ["SEAT", "clean"]
    assert rows["Epochs trained"] == ["60", "120"]
    assert rows["Worst-case Dice"] == [f"{record.mean_dice('worst', 8):.4f}" for record in (seat, clean)]
    assert rows["Dice averaged over attacks"] == [f"{record.average(8):.4f}" for record in (seat, clean)]
    assert rows["Clean Dice, whole volumes"] == ["0.8123", "0.8123"]
    assert rows["Anterior"] == ["0.8345", "1.52", "0.42"]
    assert rows["Posterior"] == ["0.7901", "1.71", "—"]


def test_the_papers_values_stand_beside_ours(written_report: WrittenReport) -> None:
    rows = Cells(written_report.text).rows
    (apgd, _) = (row for row in rows if row[0] == "apgd-ce" and len(row) == 7)
    assert apgd[4:] == ["0.1529", "0.1633", "0.1825"]
    assert "Paper&#x27;s SEAT, 300 epochs" in written_report.text
    history = written_report.runs[1].history
    assert history is not None
    assert ["clean", "120", "120", "300", "657", "609", "1,500"] in rows
    assert written_report.text.count("What differs from the paper") == 1


def test_everything_is_inside_and_beside(written_report: WrittenReport) -> None:
    sources = re.findall(r'src="([^"]*)"', written_report.text)
    beside = sorted(written_report.page.parent.glob("*.png"))
    assert len(sources) == len(beside) == 13
    inside = {base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in sources}
    assert inside == {path.read_bytes() for path in beside}
    assert all(picture.startswith(b"\x89PNG") for picture in inside)
    for foreign in ("http:", "https:", "<script ", "<link", "@import", "url("):
        assert foreign not in written_report.text


def test_a_history_alone_gives_its_parts_and_says_what_is_missing(tmp_path: Path) -> None:
    run = tmp_path / "alone"
    run.mkdir()
    write_history(run, epochs=4)
    text = write_report([run]).read_text(encoding="utf-8")
    Cells(text)
    for name in ("metrics.json", "robustness.json", "slices/*.npz"):
        assert f"{name} is absent or empty" in text
    assert "training_history.csv is absent" not in text
    assert "alone: training" in text
    assert "Figure 1" not in text, "one window of epochs would be a single point"
    assert ">Robustness</h2>" not in text
    assert "Robustness was not measured" in text


def test_the_report_is_the_same_each_time(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    write_history(run, epochs=4)
    write_slice(run, "case")
    pages = [write_report([run], tmp_path / out) for out in ("first", "second")]
    first, second = ({path.name: path.read_bytes() for path in page.parent.iterdir()} for page in pages)
    assert first == second
    assert len(first) == 4


def test_text_from_records_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert('&')</script>"
    values = robustness(cases=1) | {"alarms": [evil], "device": evil, "protocol": evil, "rule": evil}
    values["versions"] = {evil: evil}
    values["summary"] = [row | {"dice": {evil: 0.5}} for row in values["summary"] if row["eps_255"] in (0, 8)]
    write_json(tmp_path / "robustness.json", values)
    write_json(tmp_path / "metrics.json", metrics(1) | {"rule": evil})
    write_json(tmp_path / "run.json", {"method": evil, "task": evil})
    text = write_report([tmp_path], tmp_path / "out").read_text(encoding="utf-8")
    Cells(text)
    assert text.count("<script") == 1
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in text


def test_alarms_stand_before_every_number(tmp_path: Path) -> None:
    values = robustness(cases=1)
    values["alarms"] = [{"alarm": "zero gradients", "message": "on 3 of 12 cases"}]
    values["cases"][1]["linf_over_budget"] = 1.01
    write_json(tmp_path / "robustness.json", values)
    write_json(tmp_path / "metrics.json", metrics(1) | {"weights_sha256": "other"})
    text = write_report([tmp_path]).read_text(encoding="utf-8")
    for alarm in ("zero gradients: on 3 of 12 cases", "reached 1.010000 times", "different weights"):
        assert 0 < text.index(alarm) < text.index("<table>")
    assert "alarm was raised" not in text


def test_shares_of_the_contrast_are_called_so_and_have_no_paper_columns(tmp_path: Path) -> None:
    write_run(tmp_path, epochs=2, cases=3)
    write_json(tmp_path / "robustness.json", robustness(cases=3) | {"budget": "contrast"})
    text = write_report([tmp_path]).read_text(encoding="utf-8")
    assert "8/255 of contrast" in text
    assert "its values do not belong beside those of contrast" in text
    assert "Paper&#x27;s SEAT, " not in text


def test_phantoms_are_called_so_and_have_no_paper_columns(tmp_path: Path) -> None:
    write_run(tmp_path, epochs=2, cases=3)
    write_json(tmp_path / "robustness.json", robustness(cases=3) | {"data": "Computer-made phantom volumes"})
    text = write_report([tmp_path]).read_text(encoding="utf-8")
    assert "<td>Computer-made phantom volumes</td>" in text
    assert "beside which the paper&#x27;s values do not belong" in text
    for absent in ("Paper&#x27;s SEAT", "What differs", "1,500"):
        assert absent not in text


def test_dice_by_size_is_in_a_table(written_report: WrittenReport) -> None:
    (run, _) = written_report.runs
    assert run.robustness is not None
    text = written_report.text
    for row in run.robustness.by_size:
        if row.attack == "worst" and row.eps_255 == 8:
            least, most = row.ml
            assert f">{row.label}, {row.size}</th><td>{least:.3g} – {most:.3g}</td><td>4</td>" in text
            assert f"<td>{row.dice:.4f}</td>" in text
    assert "Volumes are those of one patch per case." in text


def test_an_attack_on_some_cases_says_so(tmp_path: Path) -> None:
    values = robustness(cases=4)
    whole = float(np.mean([row["mean_dice"] for row in values["summary"] if row["eps_255"] == 8
                           and row["attack"] not in ("random", "worst", "square")]))  # fmt: skip
    for row in values["summary"]:
        if row["attack"] == "square":
            row["cases"] = 2
    write_json(tmp_path / "robustness.json", values)
    text = write_report([tmp_path]).read_text(encoding="utf-8")
    assert "square (2 of 4 cases)" in text
    assert f">average over attacks</th><td>{whole:.4f}</td>" in text


def test_no_alarm_is_said_too(written_report: WrittenReport) -> None:
    assert "SEAT, clean: examined and silent: zero gradients. Not examined: logits not finite," in written_report.text
    assert '<section class="open"><h2>No alarm was raised among those that could be examined' in written_report.text


def test_calm_is_a_report_whose_every_alarm_was_examined(tmp_path: Path) -> None:
    write_json(tmp_path / "robustness.json", robustness(cases=2) | {"alarms_checked": list(ALARM_NAMES)})
    text = write_report([tmp_path]).read_text(encoding="utf-8")
    assert '<section class="calm"><h2>Every alarm was examined, and none was raised' in text


def test_runs_of_one_method_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_history(tmp_path / name, epochs=1)
        write_json(tmp_path / name / "run.json", {"method": "SEAT"})
    page = write_report([tmp_path / "one", tmp_path / "two", tmp_path / "two"], tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    for name in ("SEAT (one)", "SEAT (two) 1", "SEAT (two) 2"):
        assert f"<strong>{name}</strong>" in text


def test_runs_are_all_called_by_method_or_all_by_folder(tmp_path: Path) -> None:
    for name, method in (("a/eval", "SEAT"), ("b/eval", "clean"), ("c/eval", "clean"), ("d/eval", "")):
        (tmp_path / name).mkdir(parents=True)
        write_history(tmp_path / name, epochs=1)
        write_json(tmp_path / name / "run.json", {"method": method})
    text = write_report([tmp_path / f"{name}/eval" for name in "abcd"], tmp_path / "out").read_text(encoding="utf-8")
    for name in ("SEAT (a/eval)", "clean (b/eval)", "clean (c/eval)", "d/eval"):
        assert f"<strong>{name}</strong>" in text
    text = write_report([tmp_path / f"{name}/eval" for name in "ab"], tmp_path / "out").read_text(encoding="utf-8")
    assert "<strong>SEAT</strong>" in text


def test_a_task_that_the_paper_lacks_has_no_paper_columns(tmp_path: Path) -> None:
    write_json(tmp_path / "robustness.json", robustness(cases=1) | {"bundle": "my_own"})
    text = write_report([tmp_path]).read_text(encoding="utf-8")
    assert "The paper has no values for my_own" in text
    assert "Paper&#x27;s SEAT" not in text
    assert "What differs" not in text


@pytest.mark.parametrize("exists", [True, False])
def test_a_run_without_records_is_refused(tmp_path: Path, exists: bool) -> None:
    run = tmp_path / "empty"
    if exists:
        run.mkdir()
        (run / "run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RefusalError, match=r"empty (has nothing|is not a folder)"):
        write_report([run])


def test_a_refusal_writes_nothing(tmp_path: Path) -> None:
    write_history(tmp_path, epochs=2)
    (tmp_path / "metrics.json").write_text(json.dumps(metrics() | {"summary": 1}), encoding="utf-8")
    with pytest.raises(RefusalError, match=r"metrics\.json: 'summary' is the number 1"):
        write_report([tmp_path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_run_and_a_file_as_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusalError, match="No run is named"):
        write_report([])
    path = write_history(tmp_path, epochs=2)
    with pytest.raises(RefusalError, match="is a file"):
        write_report([tmp_path], path)


def test_importing_needs_no_matplotlib_and_writing_says_how_to_get_it(tmp_path: Path) -> None:
    write_history(tmp_path, epochs=2)
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from seat_components.reporting import write_report\n"
        "assert not [name for name in sys.modules if name.startswith('matplotlib.')]\n"
        "write_report([sys.argv[1]])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "pip install matplotlib" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("seat_components.refusals.RefusalError")
