"""attack.json and evaluate.json on a phantom: records as documented, budgets kept, a killed run goes on."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from bundle_runs import SMALL, refusal, save_unet, workflow
from ignite.engine import Events

from seat_components.device import attack_bytes
from seat_components.evaluation import AttackSetting, Protocol, attack_update, least_budget
from seat_components.evaluation.protocols import PROTOCOLS, Check

SETTINGS = (
    AttackSetting("random"),
    AttackSetting("pgd-ce", {"steps": 2}),
    AttackSetting("square", {"steps": 3}, cases=1, one_budget=True),
)
PROTOCOL = Protocol(SETTINGS, steps=2, checks=(Check("more effort", effort=2),), checked_cases=1)
CASES = ["hippocampus_004", "hippocampus_011"]


@pytest.fixture
def options(task04_phantom, tmp_path, monkeypatch):
    """A run of few steps on an untrained network."""
    monkeypatch.setitem(PROTOCOLS, "quick", PROTOCOL)
    return {
        **SMALL,
        "dataset_dir": str(task04_phantom),
        "output_dir": str(tmp_path / "eval"),
        "weights": str(save_unet(tmp_path / "model.pt")),
        "attack_eps_255": [4, 8],
        "seed": 3,
    }


def attack(bundle, options, stop_after=None):
    flow = workflow(bundle, ["train", "attack"], **options)
    evaluator = flow.parser.get_parsed_content("validate#evaluator")
    if stop_after is not None:
        evaluator.add_event_handler(Events.ITERATION_COMPLETED(once=stop_after), evaluator.terminate)
    outputs = []
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: outputs.extend(engine.state.output))
    flow.run()
    return evaluator, outputs


def content(folder, name="robustness.json"):
    return json.loads((Path(folder) / name).read_text())


def without_time(record):
    cost = {attack: {**row, "seconds": None} for attack, row in record["cost"].items()}
    return {**record, "cost": cost}


def test_every_case_is_attacked_inside_its_budget_and_a_stopped_run_goes_on(bundle, options, tmp_path):
    attack(bundle, options)
    whole = content(options["output_dir"])
    assert {row["case"] for row in whole["cases"]} == set(CASES)
    rows = {(row["attack"], row["eps_255"]): row["cases"] for row in whole["summary"]}
    assert rows == {
        ("clean", 0): 2, ("random", 4): 2, ("pgd-ce", 4): 2, ("worst", 4): 2,
        ("random", 8): 2, ("pgd-ce", 8): 2, ("square", 8): 1, ("worst", 8): 2,
    }  # fmt: skip
    for row in whole["cases"]:
        assert 0 <= row["linf_over_budget"] <= 1 + 1e-6
        assert set(row["dice"]) == {"Anterior", "Posterior"}
    assert (whole["cost"]["square"]["forwards"], whole["cost"]["square"]["backwards"]) == (3, 0)
    assert whole["cost"]["pgd-ce"]["backwards"] == 2 * 2 * 2
    assert whole["cost"]["checks"]["backwards"] == 4
    assert [row["case"] for row in whole["checks"] if row["check"] == "more effort"] == CASES[:1]
    assert [row["case"] for row in whole["checks"] if row["check"] == "zero gradients"] == CASES
    assert whole["scope"] == "patch"
    assert "phantom" in whole["data"]
    with np.load(f"{options['output_dir']}/slices/hippocampus_004.npz", allow_pickle=False) as slices:
        assert slices["image"].shape == slices["perturbation"].shape == slices["label"].shape
        assert np.abs(slices["perturbation"]).max() <= slices["budget"] * (1 + 1e-6)

    parts = {**options, "output_dir": str(tmp_path / "parts")}
    attack(bundle, parts, stop_after=1)
    assert len({row["case"] for row in content(parts["output_dir"])["cases"]}) == 1
    attack(bundle, parts)
    assert without_time(content(parts["output_dir"])) == without_time(whole)


def test_worst_is_what_another_dice_finds_in_the_adversarial_volumes(bundle, options):
    evaluator, outputs = attack(bundle, {**options, "attack_eps_255": [8]})
    rows = [row for row in content(options["output_dir"])["cases"] if row["attack"] == "worst"]
    assert len(outputs) == len(rows) == 2
    for output, row in zip(outputs, rows, strict=True):
        with torch.no_grad():
            predicted = evaluator.network(output["image"][None]).argmax(dim=1)[0].numpy()
        label = output["label"][0].numpy()
        for value, name in enumerate(("Anterior", "Posterior"), start=1):
            p, q = predicted == value, label == value
            dice = 2 * (p & q).sum() / (p.sum() + q.sum()) if p.any() or q.any() else 1.0
            assert row["dice"][name] == pytest.approx(dice, abs=1e-6)


@pytest.mark.slow
def test_whole_volumes_are_attacked_through_the_sliding_window_where_there_is_room(bundle, options, monkeypatch):
    """Windows of half the patch, so that there are several."""
    asked = []
    monkeypatch.setattr(
        attack_update, "home_of", lambda shape, needed, device: asked.append((tuple(shape), needed)) or device
    )
    small = {"scope": "volume", "val_patch_size": [16, 24, 16], "attack_eps_255": [8], "max_cases": 1}
    attack(bundle, {**options, **small}, stop_after=1)
    volume = content(options["output_dir"])
    assert volume["scope"] == "volume"
    assert {row["case"] for row in volume["cases"]} == set(CASES[:1])
    attack(bundle, {**options, **small, "scope": "patch"})
    patch = content(options["output_dir"])
    assert patch["scope"] == "patch", "another scope is another record"
    ((shape, needed),) = asked
    assert needed == attack_bytes(shape, 3)
    assert math.prod(shape) > math.prod(small["val_patch_size"])
    assert (volume["device"], volume["amp"]) == ("cpu", False)
    ml = {record["scope"]: record["volumes_ml"][CASES[0]]["Anterior"] for record in (volume, patch)}
    assert ml["volume"] > ml["patch"] > 0
    kept = content(options["output_dir"], f"robustness_{volume['weights_sha256'][:8]}.json")
    assert kept["cases"] == volume["cases"]


def test_more_cases_and_least_budgets_may_follow_into_the_same_record(bundle, options, monkeypatch):
    monkeypatch.setattr(least_budget, "TOLERANCE_255", 32.0)
    attack(bundle, {**options, "max_cases": 1})
    first = content(options["output_dir"])
    attack(bundle, {**options, "least_budget": True})
    whole = content(options["output_dir"])
    assert [row for row in whole["cases"] if row["case"] == CASES[0] and row["attack"] != "worst"] == [
        row for row in first["cases"] if row["attack"] != "worst"
    ]
    assert {row["case"] for row in whole["cases"]} == set(CASES)
    assert "least_budgets" not in first
    assert {row["case"] for row in whole["least_budgets"]} == set(CASES)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"scope": "volumes"}, "scope is 'volumes'"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 2.5}, "steps is 2.5"),
        ({"max_cases": 0}, "max_cases is 0"),
        ({"protocol": "strongest"}, "'strongest' is not an attack protocol"),
        ({"attack_eps_255": [0, 8]}, "above 0"),
        ({"amp": True}, "leave --amp False"),
    ],
)
def test_what_does_not_fit_is_refused(bundle, options, change, rule):
    assert rule in refusal(attack, bundle, {**options, **change})


def test_a_finished_evaluation_is_not_run_again(bundle, options):
    for _ in range(2):
        flow = workflow(bundle, ["train", "evaluate"], **options)
        flow.run()
    metrics = content(options["output_dir"], "metrics.json")
    assert [case["case"] for case in metrics["cases"]] == CASES
    assert flow.parser.get_parsed_content("validate#evaluator").state.iteration == 0
