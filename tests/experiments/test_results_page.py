"""The page of a plan with several seeds: a row for each run, and pictures with a line for each method."""

import re
import shutil

import pytest
from fabricated_records import metrics, robustness, write_history, write_json

from seat_components.experiments import Plan, Run, write_results
from seat_components.experiments.checkpoints import read_checkpoints
from seat_components.experiments.figures import methods_of_plan
from seat_components.experiments.steps import mark_of, run_folder
from seat_components.reporting.methods import over_seeds

# Name, fabricated method, epochs.
RUNS = {
    "clean": ("clean", 40, Run()),
    "seat": ("SEAT", 20, Run()),
    "seat-long": ("SEAT", 60, Run(line="seat")),
    "free-5": ("FREE", 8, Run()),
    "nfgsm": ("PGD", 7, Run(kind="single-step")),
}
SEEDS = (0, 1, 2)


def write_records(plan):
    """Plausible records of every run and seed, all steps done."""
    for name, (method, epochs, _) in RUNS.items():
        for seed in SEEDS:
            folder = run_folder(plan, name, seed)
            place = folder / "model_final"
            for step, record in (("evaluate", metrics(12, seed)), ("quick", robustness(method, 12, seed))):
                (place / step).mkdir(parents=True)
                write_json(place / step / f"{'metrics' if step == 'evaluate' else 'robustness'}.json", record)
                mark_of(place / step).touch()
            write_history(folder, method, epochs, seed)
            mark_of(folder, "train").touch()


@pytest.fixture(scope="module")
def plan(tmp_path_factory, bundle):
    folder = tmp_path_factory.mktemp("plan")
    runs = {name: run for name, (_, _, run) in RUNS.items()}
    settings = {"seeds": SEEDS, "attacks": {"quick": {}}, "weights": ("model_final.pt",), "theory": False}
    made = Plan(title="Schedules", bundle=bundle, dataset_dir=folder, out=folder / "out", runs=runs, **settings)
    write_records(made)
    return made


@pytest.fixture(scope="module")
def page(plan):
    return write_results(plan, plan.out / "page.md", "the command")


def rows(text, heading):
    """The first table under a heading, by its first cell."""
    table = text.split(heading)[1].split("\n| ", 1)[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]
    return {row[0]: row for row in cells}


def test_each_run_is_one_row_in_each_table(page):
    text = page.read_text()
    for heading in ("## Cost and clean accuracy", "## Robustness: quick"):
        assert list(rows(text, heading)) == list(RUNS)
    assert re.fullmatch(r"0\.\d+ \(0\.\d+ to 0\.\d+\)", rows(text, "## Robustness: quick")["seat"][-1])
    assert "seed 0" not in text
    assert "## Theory" not in text
    assert set(rows(text, "each run minus free-5)")) == set(RUNS) - {"free-5"}


def test_the_picture_has_a_line_for_each_method_through_its_budgets(plan, page):
    methods = {one.name: one for one in methods_of_plan(read_checkpoints(plan), plan)}
    assert set(methods) == {"clean", "seat", "free-5", "nfgsm"}
    assert [len(methods[name].budgets) for name in ("seat", "free-5")] == [2, 1]
    assert (methods["nfgsm"].kind, methods["free-5"].kind) == ("single-step", "free")
    assert methods["free-5"].budgets[0].backpropagations == 40
    mean, half = over_seeds(methods["free-5"].budgets[0].worst)
    assert f"{mean:.4f} ± {half:.4f} |" in page.read_text()
    assert "page_dice_by_cost.png" in page.read_text()
    assert (page.parent / "page_dice_by_cost.png").is_file()


def test_a_seed_in_the_middle_of_its_training_is_in_no_mean_of_those_that_are_done(plan, page, tmp_path):
    """Its backpropagations so far halved what a whole training seemed to cost."""
    begun = plan.model_copy(update={"out": tmp_path / "out", "seeds": (*SEEDS, 3)})
    shutil.copytree(plan.out, begun.out)
    (begun_folder := run_folder(begun, "free-5", 3)).mkdir()
    write_history(begun_folder, "FREE", 2, 3)
    before, now = (
        rows(file.read_text(), "## Cost and clean accuracy")["free-5"]
        for file in (page, write_results(begun, tmp_path / "page.md", "the command"))
    )
    assert before[1] == "8"
    assert now[1] == "8; 3 of 4 seeds"
    assert now[2] == before[2]
