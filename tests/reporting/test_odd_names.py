"""Names are plain text: in pictures, in tables of comma-separated values, and on the page."""

import csv
import json

import pytest
from fabricated_records import metrics, robustness, write_history, write_run, write_slice
from matplotlib.figure import Figure
from matplotlib.text import Text

from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.robustness import AttackedEvaluation
from seat_components.reporting import read_run, write_report
from seat_components.reporting.style import in_picture, png

NAMES = (
    "$x_{2$",
    "_hidden",
    "a,b",
    'say "no"',
    "two\nlines",
    "=1+1",
    "@x",
    "-y",
    "<b>&amp;",
    "x" * 500,
    "Größe 中",
)


def test_a_report_of_odd_names_is_written(tmp_path):
    run = write_run(tmp_path / "run $1 and $2", epochs=4, cases=4)
    labels = dict(zip(("Anterior", "Posterior"), NAMES[:2], strict=True))
    rename = json.dumps({str(number): name for number, name in enumerate(("background", *labels.values()))})
    described = {**json.loads((run / "run.json").read_text()), "method": NAMES[0], "label_names": json.loads(rename)}
    (run / "run.json").write_text(json.dumps(described))
    for name, content in (("metrics.json", metrics(4)), ("robustness.json", robustness(cases=4))):
        text = json.dumps(content)
        for number, odd in enumerate(NAMES[:4]):
            text = text.replace(f'"hippocampus_{number:03d}"', json.dumps(odd))
        for label, odd in labels.items():
            text = text.replace(f'"{label}"', json.dumps(odd))
        (run / name).write_text(text)
    write_slice(run, "$case$ $", attack="$a$")
    text = write_report([run]).read_text()
    assert "$x_{2$" in text


def test_a_label_of_a_page_stays_text(tmp_path):
    run = write_run(tmp_path / "run", epochs=4, cases=4)
    described = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**described, "method": "<script>alert(1)</script>"}))
    text = write_report([run]).read_text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_shows_a_name_as_one_line_of_text(name):
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], label=in_picture(name))
    legend = axes.legend()
    assert png(figure)
    (shown,) = legend.get_texts()
    assert "\n" not in shown.get_text()
    assert len(shown.get_text()) <= 60
    assert shown.get_text().strip() == " ".join(name.split())[:59] + "…" * (len(name) > 60)
    assert not any(text.get_parse_math() for text in legend.findobj(Text))


def test_the_ticks_of_a_logarithmic_axis_stay_mathematics():
    figure = Figure()
    axes = figure.subplots()
    axes.semilogy([1, 10, 100])
    png(figure)
    assert all(label.get_parse_math() for label in axes.get_yticklabels())


def test_a_table_gives_every_name_back(tmp_path):
    header = AttackedEvaluation(bundle="b", weights_sha256="a" * 64, protocol="quick")
    records = RobustnessRecords(tmp_path, header, list(NAMES))
    for name in NAMES:
        records.add(name, "clean", 0.0, [0.5] * len(NAMES), 0.0)
    records.write()
    with (tmp_path / "robustness.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == list(NAMES)
    assert [column for column in rows[0] if column.startswith("dice_")] == [f"dice_{name}" for name in NAMES]


def test_a_history_of_extreme_values_is_drawn(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    file = write_history(run, epochs=3)
    header, *rows = [line.split(",") for line in file.read_text().split()]
    for column, value in (("gradient_norm", "inf"), ("train_loss", "1e308"), ("seconds", "1e14"), ("g", "1e14")):
        rows[-1][header.index(column)] = value
    file.write_text("\n".join(",".join(row) for row in (header, *rows)))
    assert read_run(run).history.epochs == 3
    assert write_report([run]).is_file()
