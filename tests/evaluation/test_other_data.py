"""evaluate.json and attack.json twice into one folder: the same data goes on, and no other is mixed in."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import SMALL, save_unet, workflow

from seat_components.data import write_phantom
from seat_components.evaluation import AttackSetting, Protocol
from seat_components.evaluation.protocols import PROTOCOLS
from seat_components.tasks import load_task

PROTOCOL = Protocol((AttackSetting("random"), AttackSetting("pgd-ce", {"steps": 1})), steps=1)
CASES = ["hippocampus_004", "hippocampus_011"]
RECORDS = {"evaluate": "metrics.json", "attack": "robustness.json"}
BOTH = pytest.mark.parametrize("config", list(RECORDS))


@pytest.fixture
def options(task04_phantom, tmp_path, monkeypatch):
    """A run of few steps on an untrained network, and a phantom that may be changed."""
    monkeypatch.setitem(PROTOCOLS, "quick", PROTOCOL)
    shutil.copytree(task04_phantom, tmp_path / "data")
    return {
        **SMALL,
        "dataset_dir": str(tmp_path / "data"),
        "output_dir": str(tmp_path / "eval"),
        "weights": str(save_unet(tmp_path / "model.pt")),
        "seed": 3,
    }


def run(bundle, config, options):
    """Run it; how many cases it evaluated, and the record."""
    extra = {"attack_eps_255": [8]} if config == "attack" else {}
    flow = workflow(bundle, ["train", config], **options, **extra)
    flow.run()
    evaluated = flow.parser.get_parsed_content("validate#evaluator").state.iteration
    return evaluated, json.loads((Path(options["output_dir"]) / RECORDS[config]).read_text())


def fresh(bundle, config, options):
    """The record of the same evaluation in an empty folder."""
    return run(bundle, config, {**options, "output_dir": options["output_dir"] + "_fresh"})[1]


def aside(options, config):
    """Everything kept aside."""
    stem = Path(RECORDS[config]).stem
    return [json.loads(path.read_text()) for path in Path(options["output_dir"]).glob(f"{stem}_*.json")]


def results(record):
    """All of a record that does not depend on the clock or on the order of the cases."""
    rows = sorted(record["cases"], key=lambda row: (row["case"], row.get("attack", ""), row.get("eps_255", 0)))
    summary = record["summary"]
    means = [row["mean_dice"] for row in (summary if isinstance(summary, list) else [summary])]
    extra = {name: record.get(name) for name in ("data", "val_patch_size", "files", "volumes_ml", "unfinished")}
    cost = {attack: row["forwards"] for attack, row in record.get("cost", {}).items()}
    return {"rows": rows, "means": [round(mean, 9) for mean in means], **extra, "cost": cost}


def change_label(options, case):
    path = Path(options["dataset_dir"]) / "labelsTr" / f"{case}.nii.gz"
    label = nib.load(path)
    values = np.asarray(label.dataobj).copy()
    values[values == 2] = 1
    path.unlink()
    nib.save(nib.Nifti1Image(values, label.affine), path)


@BOTH
def test_the_same_data_goes_on_and_nothing_is_computed_again(bundle, options, config):
    evaluated, first = run(bundle, config, options)
    assert evaluated == 2
    moved = Path(options["dataset_dir"]).rename(options["dataset_dir"] + "_moved")
    evaluated, again = run(bundle, config, {**options, "dataset_dir": str(moved)})
    assert (evaluated, again, aside(options, config)) == (0, first, [])


@BOTH
@pytest.mark.parametrize("said", [True, False], ids=["told by dataset.json", "told by the files alone"])
def test_other_data_of_the_same_case_names_are_never_mixed(bundle, options, config, said, tmp_path):
    _, first = run(bundle, config, options)
    other = {**options, "dataset_dir": str(tmp_path / "other")}
    write_phantom(load_task("Task04_Hippocampus"), tmp_path / "other", cases=(4, 2), seed=1)
    if said:
        file = tmp_path / "other" / "dataset.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "description": "scans of another hospital"}))
    evaluated, second = run(bundle, config, other)
    assert evaluated == 2
    assert results(second) == results(fresh(bundle, config, other))
    assert results(second)["rows"] != results(first)["rows"]
    assert aside(options, config) == ([first] if said else [])


@BOTH
def test_a_case_whose_label_has_changed_is_evaluated_again_and_named(bundle, options, config, capsys):
    _, first = run(bundle, config, options)
    change_label(options, CASES[0])
    capsys.readouterr()
    evaluated, second = run(bundle, config, options)
    assert evaluated == 1
    warnings = [line for line in "".join(capsys.readouterr()).splitlines() if "its files are not" in line]
    assert len(warnings) == 1
    assert CASES[0] in warnings[0]
    # What the dropped results have cost is still counted.
    now, then = ({**results(record), "cost": None} for record in (second, fresh(bundle, config, options)))
    assert now == then
    assert now["rows"] != results(first)["rows"]


def test_a_changed_case_that_is_not_attacked_again_is_out_of_the_record(bundle, options):
    """Also on disk, where a report would read it."""
    run(bundle, "attack", options)
    change_label(options, CASES[1])
    evaluated, record = run(bundle, "attack", {**options, "max_cases": 1})
    assert evaluated == 0
    assert {row["case"] for row in record["cases"]} == set(record["files"]) == set(record["volumes_ml"]) == {CASES[0]}
    assert {row["cases"] for row in record["summary"]} == {1}
    assert [path.stem for path in Path(options["output_dir"]).glob("slices/*.npz")] == [CASES[0]]


@BOTH
def test_another_fold_begins_a_new_record_and_keeps_the_old_one(bundle, options, config, tmp_path):
    _, first = run(bundle, config, options)
    names = [entry["image"] for entry in json.loads((tmp_path / "data" / "dataset.json").read_text())["training"]]
    trained = sorted({Path(name).name.removesuffix(".nii.gz") for name in names} - set(CASES))
    folds = tmp_path / "folds.json"
    folds.write_text(json.dumps({"folds": [{"training": [*CASES, *trained[1:]], "validation": trained[:1]}]}))
    other = {**options, "folds": str(folds)}
    evaluated, second = run(bundle, config, other)
    assert evaluated == 1
    assert {row["case"] for row in second["cases"]} == {trained[0]}
    assert results(second) == results(fresh(bundle, config, other))
    assert aside(options, config) == [first]
    if config == "attack":
        assert [path.stem for path in Path(options["output_dir"]).glob("slices/*.npz")] == [trained[0]]
        assert [path.stem for path in sorted(Path(options["output_dir"]).glob("slices/aside/*.npz"))] == CASES


@BOTH
def test_another_window_or_patch_is_another_record(bundle, options, config):
    _, first = run(bundle, config, options)
    evaluated, second = run(bundle, config, {**options, "val_patch_size": [16, 24, 16]})
    assert (evaluated, second["val_patch_size"]) == (2, [16, 24, 16])
    assert aside(options, config) == [first]


@BOTH
@pytest.mark.parametrize("unsaid", [("files",), ("files", "val_patch_size")])
def test_a_record_that_does_not_say_what_it_is_of_is_not_gone_on_with(bundle, options, config, unsaid):
    _, record = run(bundle, config, options)
    path = Path(options["output_dir"]) / RECORDS[config]
    old = {name: value for name, value in record.items() if name not in unsaid}
    old["cases"] = [{name: value for name, value in row.items() if name != "files"} for row in old["cases"]]
    path.write_text(json.dumps(old))
    evaluated, again = run(bundle, config, options)
    assert (evaluated, results(again)) == (2, results(record))
    assert aside(options, config) == ([old] if "val_patch_size" in unsaid else [])


@BOTH
def test_another_setup_is_another_record_and_one_that_says_none_goes_on(bundle, options, config):
    said = {"evaluate": "metrics_record", "attack": "attack"}[config] + "#setup_sha256"
    run(bundle, config, options)
    evaluated, first = run(bundle, config, {**options, said: "aa"})
    assert (evaluated, first["setup_sha256"]) == (0, "")
    Path(options["output_dir"], RECORDS[config]).write_text(json.dumps({**first, "setup_sha256": "aa"}))
    evaluated, second = run(bundle, config, {**options, said: "bb"})
    assert (evaluated, second["setup_sha256"], results(second)) == (2, "bb", results(first))
    assert aside(options, config) == [{**first, "setup_sha256": "aa"}]
