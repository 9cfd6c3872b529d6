"""A bundle for one's own data: complete, honest about its data, and trained by the ordinary commands."""

import csv
import json
import shutil
from pathlib import Path

import jsonschema
import nibabel as nib
import numpy as np
import pytest
from bundle_runs import SMALL, refusal, run, workflow
from own_datasets import blobs

from seat_components.__main__ import main
from seat_components.bundles.render import render
from seat_components.planning.commands import check_name, new_bundle, plan_dataset, write_new_bundle
from seat_components.refusals import RefusalError

SCHEMA = Path(__file__).parents[1] / "bundles" / "data" / "meta_schema_20240725.json"
PATCHES = {"patch_size": [16, 16, 16], "val_patch_size": [16, 16, 16]}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return blobs(tmp_path_factory.mktemp("own") / "Belly")


@pytest.fixture(scope="module")
def own_bundle(dataset, tmp_path_factory):
    return new_bundle(plan_dataset(dataset), "belly_ct", tmp_path_factory.mktemp("out"))


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_it_has_the_files_of_the_ten_and_its_own_two(own_bundle):
    assert set(contents(own_bundle)) == {*render("Task09_Spleen"), "configs/folds.json", "docs/plan.json"}


def test_it_claims_nothing_about_its_data_that_it_was_not_told(own_bundle):
    for path, content in contents(own_bundle).items():
        text = content.decode()
        for claim in ("Decathlon", "MSD", "BY-SA", "published", "project's tests"):
            assert claim not in text, f"{path} says {claim}"
        assert "{{" not in text
    assert "CC0 1.0" in (own_bundle / "docs" / "data_license.txt").read_text()
    card = (own_bundle / "docs" / "README.md").read_text()
    assert "# belly_ct" in card and "the dataset Belly" in card and "`--fold 4`" in card


def test_a_dataset_without_a_licence_is_said_to_have_none(dataset, tmp_path):
    bare = shutil.copytree(dataset, tmp_path / "Bare")
    index = json.loads((bare / "dataset.json").read_text())
    (bare / "dataset.json").write_text(json.dumps({**index, "licence": "", "name": 'Q "1" \\ {{task}}'}))
    bundle = new_bundle(plan_dataset(bare), "bare", tmp_path)
    assert "states no licence" in (bundle / "docs" / "data_license.txt").read_text()
    assert "the dataset Q 1 task" in json.loads((bundle / "configs" / "metadata.json").read_text())["description"]


def test_its_metadata_keeps_the_schema(own_bundle):
    metadata = json.loads((own_bundle / "configs" / "metadata.json").read_text())
    jsonschema.validate(metadata, json.loads(SCHEMA.read_text()))
    assert metadata["name"] == "belly_ct"
    assert metadata["eval_metrics"] == {}
    assert metadata["network_data_format"]["inputs"]["image"]["modality"] == "CT"


def test_the_configs_hold_the_plan(own_bundle):
    plan = json.loads((own_bundle / "docs" / "plan.json").read_text())
    train = json.loads((own_bundle / "configs" / "train.json").read_text())
    assert train["patch_size"] == plan["plan"]["train_patch"]
    assert train["val_patch_size"] == plan["plan"]["val_patch"]
    assert train["batch_size"] == plan["plan"]["batch_size"]
    assert train["network_def"]["strides"] == plan["plan"]["strides"]
    (clip,) = [part for part in train["train"]["deterministic_transforms"] if "Clip" in part["_target_"]]
    assert (clip["lower"], clip["upper"]) == (plan["intensity"]["p0_5"], plan["intensity"]["p99_5"])


def test_the_same_dataset_gives_the_same_bundle(own_bundle, dataset, tmp_path, capsys):
    options = ["--dataset", str(dataset), "--name", "belly_ct", "--out", str(tmp_path), "--workers", "1"]
    assert main(["new-bundle", *options]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "belly_ct")
    assert contents(tmp_path / "belly_ct") == contents(own_bundle)
    assert [entry.name for entry in tmp_path.iterdir()] == ["belly_ct"]


def test_plan_prints_or_writes_what_the_bundle_holds(own_bundle, dataset, tmp_path, capsys):
    text = (own_bundle / "docs" / "plan.json").read_text()
    assert main(["plan", "--dataset", str(dataset)]) == 0
    assert capsys.readouterr().out == text
    assert main(["plan", "--dataset", str(dataset), "--out", str(tmp_path / "new" / "plan.json")]) == 0
    assert (tmp_path / "new" / "plan.json").read_text() == text
    assert main(["plan", "--dataset", str(dataset), "--out", str(tmp_path)]) == 1
    assert "is a folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "belly-ct", "1belly", "../belly", "a/b", "class", "_x", "bäuche", "belly ct"])
def test_a_name_that_cannot_be_imported_is_refused(name, tmp_path):
    with pytest.raises(RefusalError, match="cannot be the name of a bundle"):
        check_name(name, tmp_path)


@pytest.mark.parametrize("name", ["msd_task04_hippocampus", "Task09_Spleen"])
def test_a_name_of_the_ten_is_refused(name, tmp_path):
    with pytest.raises(RefusalError, match="one of the ten published tasks"):
        check_name(name, tmp_path)


def test_an_existing_folder_is_refused_before_anything_is_measured(tmp_path):
    (tmp_path / "belly_ct").mkdir()
    with pytest.raises(RefusalError, match="belly_ct exists: nothing is overwritten"):
        write_new_bundle(tmp_path / "no dataset", "belly_ct", tmp_path)


@pytest.mark.parametrize("fold", range(5))
def test_each_fold_is_found_by_the_bundle(own_bundle, dataset, fold, tmp_path):
    flow = workflow(own_bundle, ["train"], **folders(dataset, tmp_path), fold=fold, **{**SMALL, **PATCHES})
    found = {
        section: [
            Path(case["image"]).name.removesuffix(".nii.gz")
            for case in getattr(flow.parser.get_parsed_content("cases"), section)
        ]
        for section in ("training", "validation")
    }
    assert found == json.loads((own_bundle / "configs" / "folds.json").read_text())["folds"][fold]


def test_a_fold_it_does_not_have_is_refused(own_bundle, dataset, tmp_path):
    told = refusal(workflow, own_bundle, ["train"], **folders(dataset, tmp_path), fold=5, **SMALL)
    assert "folds.json has no fold 5: its folds are 0 to 4" in told


def test_an_epoch_of_another_fold_trains(own_bundle, dataset, tmp_path):
    options = {**SMALL, "epochs": 1, "val_interval": 1}
    workflow(own_bundle, ["train"], **folders(dataset, tmp_path), fold=1, **{**options, **PATCHES}).run()
    assert (tmp_path / "model.pt").is_file()
    (row,) = csv.DictReader((tmp_path / "training_history.csv").open())
    assert np.isfinite(float(row["val_dice_organ"]))


@pytest.mark.slow
def test_the_ordinary_commands_train_evaluate_attack_and_segment(own_bundle, dataset, tmp_path):
    options = {**folders(dataset, tmp_path), "fold": 1, **SMALL, **PATCHES}
    weights = str(tmp_path / "model.pt")
    trained = run(own_bundle, ["train"], **{**options, "epochs": 2, "val_interval": 2})
    assert trained.returncode == 0, trained.stdout
    workflow(own_bundle, ["train", "evaluate"], **options, weights=weights).run()
    workflow(own_bundle, ["train", "attack"], **options, weights=weights, attack_eps_255=[8]).run()
    (validated,) = json.loads((own_bundle / "configs" / "folds.json").read_text())["folds"][1]["validation"]
    assert [case["case"] for case in json.loads((tmp_path / "metrics.json").read_text())["cases"]] == [validated]
    robustness = json.loads((tmp_path / "robustness.json").read_text())
    assert robustness["bundle"] == "belly_ct"
    assert {case["case"] for case in robustness["cases"]} == {validated}
    scan = dataset / "imagesTr" / f"{validated}.nii.gz"
    (tmp_path / "scans").mkdir()
    shutil.copy(scan, tmp_path / "scans")
    shared = {name: options[name] for name in ("network_def", "val_patch_size")}
    masks = tmp_path / "masks"
    workflow(
        own_bundle, ["inference"], dataset_dir=str(tmp_path / "scans"), output_dir=str(masks), weights=weights, **shared
    ).run()
    mask, image = nib.load(masks / scan.name), nib.load(scan)
    assert mask.shape == image.shape
    np.testing.assert_allclose(mask.affine, image.affine)


def folders(dataset, out):
    return {"dataset_dir": str(dataset), "ckpt_dir": str(out), "output_dir": str(out)}
