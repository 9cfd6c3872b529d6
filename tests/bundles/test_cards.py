"""Costs on cards are those that the pages of docs/ state, and the picture holds the figures of the records."""

import json
import re
from pathlib import Path

import pytest

from seat_components.bundles import results
from seat_components.bundles.render import render
from seat_components.tasks import all_tasks, load_task

ROOT = Path(__file__).parents[2]
COSTS = json.loads((ROOT / "seat_components/bundles/costs.json").read_text())
TASKS = all_tasks()


def table_rows(page, below):
    """The cells of a page's first table below a heading."""
    text = (ROOT / page).read_text().partition(f"\n## {below}")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_costs_on_gpus_are_those_of_their_page():
    head, _, *rows = table_rows("docs/gpus.md", "Which GPU for which task")
    gpus = [re.sub(r"pieces on (.+) \(.*", r"\1", cell) for cell in head[4::2]]
    for task, _, batch, patch, *cells in rows:
        seconds = dict(zip(gpus, map(int, cells[1::2]), strict=True))
        stated = {"batch_gib": float(batch), "patch_gib": float(patch), "epoch_seconds": seconds}
        assert {**COSTS[task], "cpu": None} == {**stated, "cpu": None}
    assert list(COSTS) == [task.name for task in TASKS]


@pytest.mark.parametrize("task", [task for task in TASKS if COSTS[task.name]["cpu"]], ids=lambda task: task.name)
def test_costs_on_a_cpu_are_those_of_the_benchmarks_with_the_tasks_own_patch(task):
    cpu = COSTS[task.name]["cpu"]
    sizes = "×".join(map(str, (cpu["patches"], len(task.modalities), *task.train_patch)))
    rows = table_rows("docs/benchmarks.md", f"Strides of {task.name.partition('_')[0]}, batch {sizes}")
    (_, forward, step, *_), = (row for row in rows if row[0] == "default")  # fmt: skip
    assert [float(cell.split()[0]) for cell in (forward, step)] == [cpu["forward"], cpu["step"]]


def test_the_picture_holds_the_figures_of_the_last_protocol():
    task = load_task("Task04_Hippocampus")
    words = re.findall(r"<text[^>]*>([^<]*)</text>", render(task)["docs/dice.svg"])
    for result in results.results_of(task):
        one = (result, *result.more)[-1]
        assert f"{result.file} ({result.method}), protocol {one.protocol}, {one.attacked_cases:g} cases" in words
        for row in one.attacked:
            place = next(place for place, word in enumerate(words) if word.partition(",")[0] == row.attack)
            assert words[place + 1] == f"{row.mean_dice:.2f}"
            del words[place : place + 2]
    assert words[:6] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
