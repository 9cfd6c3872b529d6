"""run.json says what a run was, and what its data say about themselves."""

import json
import sys

from seat_components.running import setup_sha256, write_run_record
from seat_components.running.command_line import Given


def test_a_training_on_phantoms_is_known_as_one(task04_phantom, tmp_path):
    write_run_record(tmp_path, task04_phantom, "cpu", False, method="SEAT", epochs=4)
    content = json.loads((tmp_path / "run.json").read_text())
    assert (content["method"], content["epochs"]) == ("SEAT", 4)
    assert "phantom" in content["data"].lower()
    assert content["versions"].keys() >= {"seat_components", "torch"}
    assert "data_sha256" not in content


def test_cases_and_config_have_fingerprints_that_forget_where_they_lie(tmp_path, monkeypatch):
    def record(folder, text, **options):
        folder.mkdir(exist_ok=True)
        (folder / "x.nii").write_text(text)
        (folder / "train.json").write_text('{"epochs": 3, "dataset_dir": "", "output_dir": ""}')
        line = Given((str(folder / "train.json"),), {"dataset_dir": str(folder), **options}, {})
        monkeypatch.setattr("seat_components.running.provenance.given", lambda: line)
        monkeypatch.setattr(sys, "argv", ["monai.bundle", "run", "--epochs", "3 4"])
        write_run_record(folder, folder, "cpu", False, [{"image": folder / "x.nii"}])
        return json.loads((folder / "run.json").read_text())

    first, moved = record(tmp_path / "a", "scan"), record(tmp_path / "b", "scan")
    assert first["training_cases"] == 1
    assert first["command"] == "python -m monai.bundle run --epochs '3 4'"
    for name in ("config_sha256", "data_sha256"):
        assert first[name] == moved[name]
    other = record(tmp_path / "a", "another", epochs=4)
    for name in ("config_sha256", "data_sha256"):
        assert first[name] != other[name]


def test_data_without_a_description_have_none(tmp_path):
    write_run_record(tmp_path, tmp_path / "nowhere", "cpu", False)
    assert json.loads((tmp_path / "run.json").read_text()).get("data", "") == ""


def test_the_setup_of_an_evaluation_is_what_its_parts_refer_to(tmp_path, monkeypatch):
    config = {
        "bundle_root": ".",
        "epochs": 3,
        "size": [8, 8],
        "scale": {"_target_": "ScaleIntensityd", "minv": 0.0},
        "crop": "$[@scale, @size]",
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": "@size", "sw_batch_size": 1},
    }
    (tmp_path / "train.json").write_text(json.dumps(config))

    def setup(**options):
        line = Given((str(tmp_path / "train.json"),), options, {})
        monkeypatch.setattr("seat_components.running.provenance.given", lambda: line)
        return setup_sha256("crop", "inferer", "absent")

    own = setup()
    assert own == setup(epochs=4, bundle_root="there") == setup(**{"inferer#sw_batch_size": 4})
    others = setup(size=[4, 4]), setup(**{"scale#minv": 0.5}), setup(**{"inferer#overlap": 0.5})
    assert len({own, *others}) == 4
    monkeypatch.setattr("seat_components.running.provenance.given", lambda: None)
    assert setup_sha256("crop") == ""
