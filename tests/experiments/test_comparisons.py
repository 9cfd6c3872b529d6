"""Runs are compared with their own seed's yardstick, over common cases, and words follow the interval."""

from pathlib import Path

import numpy as np
import pytest

from seat_components.experiments import Plan, Run
from seat_components.experiments.checkpoints import Checkpoint
from seat_components.experiments.comparisons import (
    against,
    choice_of_weights,
    difference,
    sections,
    theory_against_robustness,
    verdict,
)
from seat_components.experiments.intervals import crossed_mean
from seat_components.experiments.results import robustness_table
from seat_components.records.attacked import AttackDice, AttackedCase
from seat_components.records.history import COLUMNS, History
from seat_components.records.metrics import CaseMetrics, Means, Metrics
from seat_components.records.robustness import Robustness
from seat_components.records.run import RunDescription
from seat_components.records.theory import Theory
from seat_components.reporting.records import RunRecords

CASES = [f"case{i}" for i in range(12)]
BOTH = ("model.pt", "model_final.pt")


def plan_of(runs, weights=("model.pt",)):
    """A plan with one attack."""
    places = dict.fromkeys(("bundle", "dataset_dir", "out"), Path())
    return Plan(title="", **places, runs=runs, attacks={"quick": {}}, weights=weights)


def theory_of(norm, complexity, margins):
    """The quantities of a checkpoint."""
    return Theory(cases=2, margins=margins, log_complexity=complexity, gradient_norm_1=norm, gradient_norm_2=1.0)


def robustness(dice):
    """A record whose worst-case Dice are ``dice`` by case."""
    cases = tuple(
        AttackedCase(case=case, attack="worst", eps_255=8.0, dice={"a": value}) for case, value in dice.items()
    )
    mean = AttackDice(attack="worst", eps_255=8.0, mean_dice=float(np.mean(list(dice.values()))), dice={})
    return Robustness(protocol="quick", summary=(mean,), cases=cases)


def checkpoint(run, worst, clean=0.8, backpropagations=10.0, seconds=100.0, seed=0, weights="model.pt", theory=None):
    """A run with the same ``clean`` Dice on all cases, and ``worst`` on all or by case."""
    dice = worst if isinstance(worst, dict) else dict.fromkeys(CASES, worst)
    columns = {name: np.array([np.nan]) for name in COLUMNS}
    columns.update(backpropagations=np.array([backpropagations]), seconds=np.array([seconds]))
    history = History(np.array([1.0]), columns, {})
    rows = tuple(CaseMetrics(case=case, mean_dice=clean) for case in CASES)
    metrics = Metrics(summary=Means(mean_dice=clean, dice={}), cases=rows)
    attacked = robustness(dice)
    records = RunRecords(run, Path(run), RunDescription(method=run), history, metrics, attacked, ())
    return Checkpoint(run, seed, weights, history, True, np.nan, records, {"quick": attacked}, theory)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(-0.01, 0.015, "on par"), (0.001, 0.3, "higher"), (-0.3, -0.001, "lower"), (-0.1, 0.1, "undecided")],
)
def test_words_follow_the_interval(low, high, words):
    assert verdict(low, high) == words


def test_difference_is_over_the_cases_that_both_have():
    one = dict.fromkeys(CASES, 0.5) | {"other": 0.0}
    two = dict.fromkeys(CASES, 0.4) | {"another": 1.0}
    assert difference([(one, two)]) == "+0.1000 (+0.1000 to +0.1000): higher"
    assert difference([({"a": 0.5}, {"a": 0.4})]) == "+0.1000"
    assert difference([({"a": 0.5}, {"b": 0.4})]) == "—"


def test_each_run_meets_the_yardstick_of_its_own_seed():
    found = [
        checkpoint("free-5", 0.6, backpropagations=50, seconds=500),
        checkpoint("free-5", 0.2, seed=1),
        checkpoint("seat", 0.59, backpropagations=25, seconds=260),
        checkpoint("seat", 0.7, seed=2),
    ]
    lines = against(found, "free-5", ["quick"]).splitlines()
    assert len(lines) == 3
    assert "| 50% | 52% | +0.0000" in lines[2]
    assert "-0.0100 (-0.0100 to -0.0100): on par" in lines[2]
    assert against(found, "pgd-5", ["quick"]) == ""


def test_seeds_of_a_run_are_one_row_of_means_paired_by_seed():
    """That one seed is better for all does not part two runs; what changes from seed to seed does."""
    worst = {0: 0.6, 1: 0.5, 2: 0.7}
    found = [checkpoint("free-5", dice, backpropagations=50, seed=seed) for seed, dice in worst.items()]
    found += [checkpoint("seat", dice - 0.05, backpropagations=25 + seed, seed=seed) for seed, dice in worst.items()]
    (row,) = against(found, "free-5", ["quick"]).splitlines()[2:]
    assert row.startswith("| seat | 52% |")
    assert "-0.0500 (-0.0500 to -0.0500): lower" in row
    table = robustness_table(found, "quick", ["model.pt"])
    assert "over cases and seeds" in table
    mean, low, high = crossed_mean([dict.fromkeys(CASES, dice) for dice in worst.values()])
    assert f"| free-5 | {mean:.4f} ({low:.4f} to {high:.4f}) |" in table
    assert table.count("| seat |") == 1


def test_weights_of_one_run_are_compared_where_both_were_examined():
    found = [checkpoint("seat", 0.5), checkpoint("seat", 0.6, weights="model_final.pt"), checkpoint("clean", 0.1)]
    robust = [checkpoint("seat-select-robust", 0.7), checkpoint("seat-select-robust", 0.6, weights="model_final.pt")]
    plan = plan_of({"seat": Run(), "seat-select-robust": Run(overlays=("select_robust",))}, BOTH)
    lines = choice_of_weights([*found, *robust], plan).splitlines()
    assert len(lines) == 3  # not that of a run whose weights were not chosen by clean Dice
    assert "-0.1000" in lines[2]


def test_questions_without_their_runs_are_left_out():
    plan = plan_of({"seat": Run()})
    assert sections([checkpoint("seat", 0.5)], plan) == []
    two = [checkpoint("seat", 0.5), checkpoint("seat-g-8", 0.5)]
    text = "".join(sections(two, plan))
    assert "each variant minus seat" in text
    assert "free-5" not in text
    assert sections(two, plan_of({"seat": Run(), "seat-g-8": Run(continues="seat")})) == []


def test_a_plan_may_have_other_yardsticks_than_free_5():
    runs = {"free-5": Run(), "free-5-long": Run(), "phased": Run()}
    found = [checkpoint(run, 0.5 + 0.1 * place) for place, run in enumerate(runs)]
    plan = plan_of(runs).model_copy(update={"yardsticks": ("free-5-long", "phased")})
    (answer,) = [part for part in sections(found, plan) if "On par with FREE-5" in part]
    assert "(each run minus free-5-long)" in answer
    assert [line.split()[1] for line in answer.splitlines()[4:]] == ["free-5", "phased"]
    (other,) = [part for part in sections(found, plan) if "gained or lost" in part]
    assert "(each run minus phased)" in other


def test_each_quantity_of_the_theory_is_ranked_against_dice():
    plan = plan_of({})
    theories = [theory_of(1 / (i + 1), 70.0 + i, (0.0, 4.0 - abs(i - 2))) for i in range(5)]
    found = [checkpoint(f"run{i}", 0.1 * i, theory=theory) for i, theory in enumerate(theories)]
    (answer,) = [part for part in sections(found, plan) if "gradient norm predict" in part]
    norm, complexity, margin = answer.strip().splitlines()[-3:]
    assert norm.startswith("| gradient norm ‖∇_x ℓ‖₁ (clean input) | quick | 5 | -1.00 |")
    assert complexity.startswith("| log Φ | quick | 5 | 1.00 |")
    assert margin.startswith("| mean margin | quick | 5 | 0.00 |")
    # A network whose complexity is not known stands in no rank of it.
    found[0] = checkpoint("run0", 0.0, theory=theory_of(1.0, None, (0.0, 2.0)))
    assert "| log Φ | quick | 4 | 1.00 |" in theory_against_robustness(found, plan)


def test_checkpoints_of_one_training_are_ranked_once():
    runs = {"clean": Run(), "free-5": Run(), "seat": Run(), "seat-8": Run(continues="seat")}
    plan = plan_of(runs, BOTH)
    theory = [theory_of(1 - i / 10, None, (0.0,)) for i in range(4)]
    found = [
        checkpoint(run, 0.1 * i, theory=theory[i], weights=weights)
        for i, run in enumerate(runs)
        for weights in plan.weights
    ]
    # Three trainings: of their six orders two are as extreme, so that even a perfect one says little.
    assert "| quick | 3 | -1.00 | 0.33 |" in theory_against_robustness(found, plan)


def test_an_attack_on_some_cases_says_so_beside_the_others():
    one = checkpoint("seat", 0.5)
    hard = AttackDice(attack="square", eps_255=8.0, cases=3, mean_dice=0.2, dice={})
    quick = one.attacks["quick"]
    one.attacks["quick"] = quick.model_copy(update={"summary": (*quick.summary, hard)})
    table = robustness_table([one], "quick", ["model.pt"])
    assert "| square (3 of 12 cases) | worst" in table


def test_without_the_theory_its_question_is_left_out():
    plan = plan_of({})
    assert sections([checkpoint(f"run{i}", 0.1 * i) for i in range(5)], plan) == []
