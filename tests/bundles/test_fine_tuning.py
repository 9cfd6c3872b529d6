"""docs/fine_tuning.md: its commands run one after the other on a phantom, and do what the page says."""

import csv
import json
import re
from pathlib import Path

import pytest
import torch
from bundle_runs import UNET
from documented_commands import block_commands, run_documented, small_bundle
from monai.bundle import ConfigParser

from seat_components.data import write_phantom
from seat_components.evaluation.identity import sha256
from seat_components.tasks import load_task
from seat_components.tasks.folds import folds_json, read_fold
from seat_components.training import TrainingHistory

PAGE = (Path(__file__).parents[2] / "docs" / "fine_tuning.md").read_text(encoding="utf-8")
COMMANDS = block_commands(PAGE)
CASES = (10, 3)


def test_the_page_lists_a_fold_of_ten_scans_and_some_that_are_held_out(tmp_path):
    (text,) = re.findall(r"^```json\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    file = tmp_path / "folds.json"
    file.write_text(text)
    training, validation = read_fold(file, 0)
    assert (len(training), len(validation)) == CASES


def test_the_page_evaluates_and_attacks_before_and_after_each_method():
    for folder in ("before", "seat_ft", "free_ft"):
        for config in ("evaluate.json", "attack.json"):
            assert sum(config in command and f"--output_dir OUT/{folder}" in command for command in COMMANDS) == 1


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The bundle's folder and OUT, after all commands of the page, with a small network and untrained weights."""
    folder = tmp_path_factory.mktemp("page")
    data = folder / "data"
    write_phantom(load_task("Task04_Hippocampus"), data, cases=CASES)
    names = [Path(entry["image"]).name.removesuffix(".nii.gz") for entry in listed(data)]
    (folder / "folds.json").write_text(folds_json([(names[: CASES[0]], names[CASES[0] :])]))
    bundle = small_bundle(folder, network_def=UNET, num_workers=0, patch_size=[16, 16, 16], val_patch_size=[32, 32, 32])
    weights = bundle / "models" / "model_clean.pt"
    weights.parent.mkdir(exist_ok=True)
    torch.manual_seed(0)
    torch.save(ConfigParser(UNET).get_parsed_content("").state_dict(), weights)
    before = sha256(weights)
    out = folder / "out"
    for command in COMMANDS:
        run_documented(command, bundle, {"DATA": str(data), "FOLDS": str(folder / "folds.json"), "OUT": str(out)})
    assert sha256(weights) == before, "the weights to start from stay as they are"
    return bundle, out


def listed(data):
    return json.loads((data / "dataset.json").read_text())["training"]


@pytest.mark.slow
def test_fine_tuning_starts_from_the_clean_weights_and_replays(done):
    bundle, out = done
    assert [file.name for file in (bundle / "models").glob("*.pt")] == ["model_clean.pt"]
    rows = {name: history(out / name) for name in ("seat_ft", "free_ft")}
    seat, free = ([int(row["g"]) for row in rows[name]] for name in rows)
    assert seat[:4] == [1, 1, 1, 2]
    assert len(seat) == 12
    assert min(seat[3:]) >= 2
    assert free == [5] * 5
    for name, counts in (("seat_ft", seat), ("free_ft", free)):
        assert float(rows[name][-1]["backpropagations"]) == sum(counts)
        assert [bool(row["val_mean_dice"]) for row in rows[name]] == [False] * (len(counts) - 1) + [True]
        final, best = (sha256(out / name / file) for file in ("model_final.pt", "model.pt"))
        assert final == best, "validated once, at the end"


def history(folder):
    return list(csv.DictReader((folder / TrainingHistory.FILE_NAME).open()))


@pytest.mark.slow
def test_before_and_after_are_measured_on_the_held_out_scans_only(done):
    bundle, out = done
    weights = {"before": bundle / "models" / "model_clean.pt"}
    for name in ("before", "seat_ft", "free_ft"):
        record = json.loads((out / name / "robustness.json").read_text())
        assert record["weights_sha256"] == sha256(weights.get(name, out / name / "model.pt"))
        assert {"clean", "pgd-ce", "apgd-ce", "worst"} <= {row["attack"] for row in record["summary"]}
        assert {row["eps_255"] for row in record["summary"]} == {0, 8}
        cases = {row["case"] for row in record["cases"]}
        assert len(cases) == CASES[1]
        assert {row["case"] for row in json.loads((out / name / "metrics.json").read_text())["cases"]} == cases
    assert (out / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["seat_ft", "free_ft"])
def test_what_was_tuned_lies_near_the_weights_that_it_started_from(done, name):
    bundle, out = done
    tuned, start = (flat(file) for file in (out / name / "model.pt", bundle / "models" / "model_clean.pt"))
    torch.manual_seed(1)
    other = flat(ConfigParser(UNET).get_parsed_content("").state_dict())
    assert 0 < (tuned - start).norm() < 0.5 * (tuned - other).norm()


def flat(weights):
    state = torch.load(weights, weights_only=True) if isinstance(weights, Path) else weights
    return torch.cat([value.flatten() for value in state.values()])
