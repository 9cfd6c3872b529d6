"""What a plan will take is what its schedules make of its epochs, cases and seeds."""

import json
import shutil
from pathlib import Path

import pytest
from bundle_runs import UNET

from seat_components.experiments import Plan, Run, costs_in_words, costs_of
from seat_components.refusals import RefusalError
from seat_components.tasks.folds import folds_json

# The phantom's four training cases are two batches.
TRAIN = {"epochs": 10, "batch_size": 3, "update_every": 2, "patch_size": [8, 8, 8], "device": "cpu"}
RUNS = {
    "seat": (Run(), 10, 2 * 1 + 8 * 2),
    "clean": (Run(overlays=("clean",)), 10, 10),
    "free-5": (Run(overlays=("free",), train={"replays": 5}), 10, 50),
    "pgd-3": (Run(overlays=("pgd",), train={"attack_steps": 3, "epochs": 2}), 2, 8),
    "nfgsm": (Run(overlays=("nfgsm",)), 10, 20),
    "phased": (Run(overlays=("phased",), train={"epochs": 20}), 20, 38),
    "more": (Run(continues="seat", train={"epochs": 13}), 3, 6),
    "seat-ft": (Run(pretrained="clean", overlays=("finetune",)), 10, 18),
}


@pytest.fixture
def plan(bundle, task04_phantom):
    runs = {name: run for name, (run, _, _) in RUNS.items()}
    data = {"bundle": bundle, "dataset_dir": task04_phantom, "out": Path("out")}
    return Plan(title="", **data, runs=runs, seeds=(0, 1, 2), common={"network_def": UNET}, train=TRAIN)


def test_costs_follow_from_schedule_epochs_cases_and_seeds(plan):
    costs = costs_of(plan)
    assert {one.run: (one.epochs, one.per_batch) for one in costs} == {
        name: (epochs, replays) for name, (_, epochs, replays) in RUNS.items()
    }
    batches = {one.batches for one in costs}
    assert len(batches) == 1
    for one in costs:
        assert one.backpropagations == 3 * one.per_batch * min(batches)
        assert 0 < one.seconds < 60
        assert one.hours == pytest.approx(one.backpropagations * one.seconds / 3600)


def test_the_words_sum_up_what_the_table_lists(plan):
    costs = costs_of(plan)
    text = costs_in_words(costs)
    assert f"{3 * len(RUNS)} trainings, {sum(one.backpropagations for one in costs)} backpropagations" in text
    for one in costs:
        assert f"| {one.run} | {one.epochs} | {one.per_batch} | {one.per_batch * one.batches} |" in text


def test_folds_of_the_bundle_count_wherever_the_program_runs(plan, tmp_path):
    own = shutil.copytree(plan.bundle, tmp_path / plan.bundle.name)
    listed = json.loads((plan.dataset_dir / "dataset.json").read_text())["training"]
    cases = [Path(case["image"]).name.removesuffix(".nii.gz") for case in listed]
    (own / "configs/folds.json").write_text(folds_json([(cases[:1], cases[1:])]))
    train = plan.train | {"folds": "$@bundle_root + '/configs/folds.json'"}
    assert {one.batches for one in costs_of(plan.model_copy(update={"bundle": own, "train": train}))} == {1}


def test_a_fault_of_the_data_is_said_as_by_a_training(plan):
    refused = plan.model_copy(update={"train": plan.train | {"folds": "missing.json"}})
    with pytest.raises(RefusalError, match=r"missing\.json does not exist") as told:
        costs_of(refused)
    assert "Failed to evaluate" not in str(told.value)
