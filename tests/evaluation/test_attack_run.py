"""attack.json and evaluate.json on a phantom: records as documented, budgets kept, a killed run goes on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from bundle_runs import SMALL, UNET, workflow
from ignite.engine import Events
from monai.networks.nets import UNet

from seat_components.attacks import ATTACKS
from seat_components.evaluation.protocols import PROTOCOLS, AttackSetting, protocol_settings
from seat_components.refusals import RefusalError

SETTINGS = (AttackSetting("random"), AttackSetting("pgd-ce", {"steps": 2}), AttackSetting("square", {"steps": 3}))


@pytest.fixture
def options(task04_phantom, tmp_path, monkeypatch):
    """A run of few steps on an untrained network."""
    monkeypatch.setitem(PROTOCOLS, "quick", SETTINGS)
    torch.manual_seed(0)
    weights = tmp_path / "model.pt"
    torch.save(UNet(**{name: value for name, value in UNET.items() if name != "_target_"}).state_dict(), weights)
    return {
        **SMALL,
        "dataset_dir": str(task04_phantom),
        "output_dir": str(tmp_path / "eval"),
        "weights": str(weights),
        "attack_eps_255": [4, 8],
        "seed": 3,
    }


def attack(bundle, options, stop_after=None):
    flow = workflow(bundle, ["train", "attack"], **options)
    if stop_after is not None:
        evaluator = flow.parser.get_parsed_content("validate#evaluator")
        evaluator.add_event_handler(Events.ITERATION_COMPLETED(once=stop_after), evaluator.terminate)
    flow.run()


def content(folder, name="robustness.json"):
    return json.loads((Path(folder) / name).read_text())


def without_time(record):
    cost = {attack: {**row, "seconds": None} for attack, row in record["cost"].items()}
    return {**record, "cost": cost}


def test_every_case_is_attacked_inside_its_budget_and_a_stopped_run_goes_on(bundle, options, tmp_path):
    attack(bundle, options)
    whole = content(options["output_dir"])
    names = [setting.attack for setting in SETTINGS]
    assert {row["case"] for row in whole["cases"]} == {"hippocampus_004", "hippocampus_011"}
    assert {row["attack"] for row in whole["summary"]} == {"clean", *names, "worst"}
    assert len(whole["cases"]) == 2 * (1 + 2 * (len(names) + 1))
    for row in whole["cases"]:
        assert 0 <= row["linf_over_budget"] <= 1 + 1e-6
        assert set(row["dice"]) == {"Anterior", "Posterior"}
    for name in names:
        assert whole["cost"][name]["forwards"] >= (0 if name == "random" else 2 * 2 * 2)
    assert whole["cost"]["square"]["backwards"] == 0
    assert whole["cost"]["pgd-ce"]["backwards"] == 2 * 2 * 2
    with np.load(f"{options['output_dir']}/slices/hippocampus_004.npz", allow_pickle=False) as slices:
        assert slices["image"].shape == slices["perturbation"].shape == slices["label"].shape
        assert np.abs(slices["perturbation"]).max() <= slices["budget"] * (1 + 1e-6)

    parts = {**options, "output_dir": str(tmp_path / "parts")}
    attack(bundle, parts, stop_after=1)
    assert len({row["case"] for row in content(parts["output_dir"])["cases"]}) == 1
    attack(bundle, parts)
    assert without_time(content(parts["output_dir"])) == without_time(whole)


def test_a_finished_evaluation_is_not_run_again(bundle, options):
    for _ in range(2):
        flow = workflow(bundle, ["train", "evaluate"], **options)
        flow.run()
    metrics = content(options["output_dir"], "metrics.json")
    assert [case["case"] for case in metrics["cases"]] == ["hippocampus_004", "hippocampus_011"]
    assert flow.parser.get_parsed_content("validate#evaluator").state.iteration == 0


def test_protocols_name_known_attacks():
    for name in PROTOCOLS:
        assert {setting.attack for setting in protocol_settings(name)} <= set(ATTACKS)
    with pytest.raises(RefusalError, match=r"strongest.*quick"):
        protocol_settings("strongest")
