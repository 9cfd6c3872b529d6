"""Figures on a card come from the evaluation's records, of one and the same weights."""

import json
import shlex

import pytest

from seat_components.bundles import results
from seat_components.bundles.render import render
from seat_components.evaluation.identity import sha256
from seat_components.launching.line import bundle_command
from seat_components.refusals import RefusalError
from seat_components.tasks import load_task

TASK = load_task("Task04_Hippocampus")
DICE = {"Anterior": 0.8, "Posterior": 0.82468}
METRICS = {
    "weights_sha256": "a" * 64,
    "summary": {"mean_dice": 0.81234, "dice": DICE},
    "cases": [{"case": f"case_{number}", "mean_dice": 0.81} for number in range(26)],
}
ROBUSTNESS = {
    "weights_sha256": "a" * 64,
    "protocol": "quick",
    "cases": [
        {"case": case, "attack": attack, "eps_255": 8, "dice": DICE, "linf_over_budget": 1.0}
        for case, attack in (("one", "pgd-ce"), ("one", "worst"), ("two", "worst"))
    ],
    "summary": [
        {"attack": "clean", "eps_255": 0.0, "mean_dice": 0.8, "dice": DICE},
        {"attack": "worst", "eps_255": 8, "mean_dice": 0.4567, "dice": DICE},
    ],
}
CORRUPTIONS = {
    "weights_sha256": "a" * 64,
    "seed": 0,
    "scope": "patch",
    "severities": {},
    "summary": [{"corruption": "clean", "severity": 0, "cases": 26, "mean_dice": 0.7654, "dice": DICE}],
    "dice_kept": 0.876,
    "dice_kept_under": {"blur": 0.9, "gamma": 0.543},
    "worst_corruption": "gamma",
    "cases": [],
}
SQUARE = {"attack": "square", "eps_255": 8, "mean_dice": 0.7, "dice": DICE, "cases": 1}
STOPPED = {"case": "three", "attack": "pgd-ce", "eps_255": 8, "dice": DICE, "linf_over_budget": 1.0}


def card():
    return render(TASK)["docs/README.md"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    (tmp_path / "robustness.json").write_text(json.dumps(ROBUSTNESS))
    kept = tmp_path / "results.json"
    kept.write_text("{}")
    monkeypatch.setattr(results, "FILE", kept)
    return tmp_path


def test_figures_of_the_records_stand_on_the_card_and_in_the_metadata(run):
    assert results.eval_metrics(TASK) == {}
    assert "ships no weights" in card()
    for method in ("clean", "SEAT"):
        results.write_result(TASK, results.collect_result(run, method, "model.pt", "Trained with care."))
    assert results.eval_metrics(TASK) == {"mean_dice": 0.8123, "mean_dice_worst_quick_8_255": 0.4567}
    text = card()
    assert text.count("### `models/model.pt`") == 1
    for words in ("(SEAT)", "Trained with care.", "26 validation cases", "0.8123", "| worst | 8 | 0.4567 |", "a" * 64):
        assert words in text


def trained(run, command):
    """Let the records be of the weights that ``command`` has trained."""
    (run / "model.pt").write_bytes(b"weights")
    said = {"command": command, "config_sha256": "c" * 64, "data_sha256": "d" * 64, "training_cases": 3}
    versions = {"seat_components": "0.1.0"}
    (run / "run.json").write_text(json.dumps({**said, "versions": versions, "ckpt_dir": str(run)}))
    for name, record in (("metrics", METRICS), ("robustness", ROBUSTNESS)):
        (run / f"{name}.json").write_text(json.dumps({**record, "weights_sha256": sha256(run / "model.pt")}))


def test_what_weights_came_of_stands_on_the_card_where_the_run_is_theirs(run):
    trained(run, "run X --dataset_dir '/my own' --ckpt_dir=/tmp --epochs 3")
    results.write_result(TASK, results.collect_result(run, "SEAT", "model.pt", ""))
    text = card()
    for words in (
        "Trained from 3 cases",
        "c" * 64,
        "d" * 64,
        "by seat_components 0.1.0: `run X --dataset_dir DATA --epochs 3`.",
    ):
        assert words in text
    (run / "model.pt").write_bytes(b"other weights")
    results.write_result(TASK, results.collect_result(run, "SEAT", "model.pt", ""))
    assert "Trained from" not in card(), "the run is of other weights"


def test_a_command_on_a_card_names_no_folder_of_the_machine_that_trained(run, tmp_path):
    """``seat train`` names its bundle's files from the root; of what else lies somewhere the name alone is said.

    Nor does it resume: it begins the training that ended in these weights.
    """
    bundle = tmp_path / "a b" / "msd_task04_hippocampus"
    places = {name: tmp_path / name for name in ("dataset_dir", "ckpt_dir", "output_dir", "pretrained", "folds")}
    words = bundle_command(["train", "free", "resume"], {**places, "amp": True, "learning_rate": -1}, bundle)
    trained(run, shlex.join(["python", *words[1:], f"--cache-dir={tmp_path}", "--verbose"]))
    assert results.collect_result(run, "SEAT", "model.pt", "").provenance.command == (
        "python -m monai.bundle run --config_file \"['configs/train.json', 'configs/free.json']\" --dataset_dir DATA "
        "--pretrained pretrained --folds folds --amp True --learning_rate -1 --verbose"
    )


def test_records_of_different_weights_are_refused(run):
    (run / "metrics.json").write_text(json.dumps({**METRICS, "weights_sha256": "b" * 64}))
    with pytest.raises(RefusalError, match="different weights"):
        results.collect_result(run, "SEAT", "model.pt", "")


def test_shares_of_the_contrast_are_no_figures_of_a_card(run):
    (run / "robustness.json").write_text(json.dumps({**ROBUSTNESS, "budget": "contrast"}))
    with pytest.raises(RefusalError, match="budget contrast"):
        results.collect_result(run, "SEAT", "model.pt", "")


def test_a_second_protocol_stands_beside_the_first_with_its_command(run):
    results.write_result(TASK, results.collect_result(run, "SEAT", "model.pt", "Trained with care."))
    assert " min on " not in card(), "how long it took was not written"
    cost = {
        "pgd-ce": {"forwards": 1, "backwards": 1, "seconds": 900},
        "square": {"forwards": 1, "backwards": 0, "seconds": 300},
    }
    strong = {**ROBUSTNESS, "protocol": "strong", "cost": cost, "device": "cpu"}
    strong["summary"] = [
        SQUARE,
        *ROBUSTNESS["summary"],
    ]
    for dice in (0.1, 0.2345):
        strong["summary"][-1] = {"attack": "worst", "eps_255": 8, "mean_dice": dice, "dice": DICE, "cases": 2}
        (run / "robustness.json").write_text(json.dumps(strong))
        results.add_protocol(TASK, run, "model.pt", "attack.json --protocol strong")
    text = card()
    assert "| worst | 8 | 0.4567 |" in text
    assert "| worst | 8 | 0.2345 |" in text
    assert "0.1000" not in text
    assert "| square (1 of the cases) | 8 | 0.7000 |" in text
    assert text.count("(`attack.json --protocol strong`), in 20 min on cpu:") == 1
    assert results.eval_metrics(TASK)["mean_dice_worst_quick_8_255"] == 0.4567


@pytest.mark.parametrize(("scope", "words"), [("patch", "centred patches of 2"), ("volume", "whole volumes of 2")])
def test_card_says_what_was_attacked(run, scope, words):
    (run / "robustness.json").write_text(json.dumps({**ROBUSTNESS, "scope": scope}))
    results.write_result(TASK, results.collect_result(run, "SEAT", "model.pt", ""))
    assert words in card()


def test_attacks_on_other_weights_are_not_put_on_the_card(run):
    results.write_result(TASK, results.collect_result(run, "SEAT", "model.pt", "Trained with care."))
    with pytest.raises(RefusalError, match=r"of other weights than the model_clean\.pt"):
        results.add_protocol(TASK, run, "model_clean.pt", "")
    (run / "robustness.json").write_text(json.dumps({**ROBUSTNESS, "weights_sha256": "b" * 64}))
    with pytest.raises(RefusalError, match=r"of other weights than the model\.pt"):
        results.add_protocol(TASK, run, "model.pt", "")


def test_what_is_kept_under_corruptions_stands_beside_the_attacks(run):
    results.write_result(TASK, results.collect_result(run, "SEAT", "model.pt", "Trained with care."))
    assert "corruptions" not in card().split("## Commands")[0]
    (run / "corruptions.json").write_text(json.dumps(CORRUPTIONS))
    results.add_corruptions(TASK, run, "model.pt", "corrupt.json")
    text = card()
    for words in ("centred patches of 26 cases (`corrupt.json`)", "**87.6%** of its clean Dice of 0.7654", "54.3%"):
        assert words in text
    assert "worst of them, gamma" in text
    assert results.eval_metrics(TASK) == {"mean_dice": 0.8123, "mean_dice_worst_quick_8_255": 0.4567}
    (run / "corruptions.json").write_text(json.dumps({**CORRUPTIONS, "worst_corruption": None}))
    with pytest.raises(RefusalError, match="no figure to state"):
        results.add_corruptions(TASK, run, "model.pt", "corrupt.json")


def test_a_case_that_an_attack_was_stopped_in_counts_nowhere(run):
    begun = {
        **ROBUSTNESS,
        "cases": [*ROBUSTNESS["cases"], STOPPED],
        "unfinished": ["three"],
    }
    (run / "robustness.json").write_text(json.dumps(begun))
    assert results.collect_result(run, "SEAT", "model.pt", "…").attacked_cases == 2
