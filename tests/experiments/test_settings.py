"""Recorded gradient norms tell what another schedule would have asked for, up to where it leaves the record."""

from pathlib import Path

import numpy as np
import pytest

from seat_components.experiments import Plan, Run
from seat_components.experiments.checkpoints import Checkpoint
from seat_components.experiments.schedules import (
    SETTINGS,
    asked,
    first_difference,
    other_settings,
    run_config,
    schedule_of,
)
from seat_components.records.history import COLUMNS, History
from seat_components.records.run import RunDescription
from seat_components.reporting.records import RunRecords
from seat_components.training import FixedSchedule, SelfAdaptiveSchedule

NORMS = [1.0, 2.0, 2.1, 2.4, 2.0]


@pytest.fixture
def plan(bundle):
    runs = {
        "seat": Run(),
        "slow": Run(train={"update_every": 3, "schedule#g_min": 3}),
        "low": Run(train={"g_max": 2}),
        "free-5": Run(overlays=("free",), train={"replays": 5}),
        "clean": Run(overlays=("clean",)),
    }
    return Plan(title="", bundle=bundle, dataset_dir=Path(), out=Path(), runs=runs, train={"update_every": 1})


def checkpoint(run, g):
    columns = {name: np.full(len(g), np.nan) for name in COLUMNS}
    columns.update(g=np.array(g, float), gradient_norm=np.array(NORMS))
    history = History(np.arange(1.0, len(g) + 1), columns, {})
    records = RunRecords(run, Path(run), RunDescription(method=run), history, None, None, ())
    return Checkpoint(run, 0, "model.pt", history, True, np.nan, records, {}, None)


def test_a_runs_schedule_is_the_bundles_with_the_plans_overrides(plan):
    seat, slow, _, free, clean = (schedule_of(run_config(plan, run)) for run in plan.runs)
    assert (seat.update_every, seat.g_min) == (1, 2)
    assert (slow.update_every, slow.g_min) == (3, 3)
    assert (free.plan(2), clean.plan(2)) == ([5, 5], [1, 1])


def test_the_last_norm_asks_for_no_epoch_of_the_run():
    assert asked(FixedSchedule(2), [1.0, 1.0]) == [2, 2]
    # Epoch 3's norm is below 1.1 times epoch 2's, and above it; epoch 5's is of no consequence.
    assert asked(SelfAdaptiveSchedule(update_every=1), NORMS) == [1, 2, 2, 2, 3]
    assert asked(SelfAdaptiveSchedule(update_every=1, relax=1.0), NORMS) == [1, 2, 2, 3, 4]


def test_the_first_other_g_is_named():
    assert first_difference([1, 2, 2], [1, 2, 2]) == "the same training"
    assert first_difference([1, 2, 2, 2], [1, 2, 3, 4]) == "epoch 3: 3 for 2"


def test_each_setting_meets_each_run_of_seat(plan):
    lines = other_settings([checkpoint("seat", [1, 2, 2, 2, 3]), checkpoint("free-5", [5] * 5)], plan).splitlines()
    assert lines[0] == "| setting | seat |"
    cells = dict(line.strip("| ").split(" | ") for line in lines[2:])
    assert set(cells) == set(SETTINGS)
    assert cells["q = 1"] == "its own"
    assert cells["q = 2"] == "epoch 2: 1 for 2"
    assert cells["φ = 1"] == "epoch 4: 3 for 2"
    assert cells["φ = 1.2"] == "epoch 5: 2 for 3"
    assert cells["g_min = 3"] == "epoch 2: 3 for 2"
    assert cells["g_max = 8"] == "the same training"
    assert other_settings([checkpoint("free-5", [5] * 5)], plan) == ""


def test_settings_that_exclude_a_runs_own_have_no_answer(plan):
    lines = other_settings([checkpoint("low", [1, 2, 2, 2, 2])], plan).splitlines()
    cells = dict(line.strip("| ").split(" | ") for line in lines[2:])
    assert cells["g_min = 3"] == "—"
    assert cells["g_max = 3"] == "epoch 5: 3 for 2"
