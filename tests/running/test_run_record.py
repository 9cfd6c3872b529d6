"""run.json says what a run was, and what its data say about themselves."""

import json

from seat_components.running import write_run_record


def test_a_training_on_phantoms_is_known_as_one(task04_phantom, tmp_path):
    write_run_record(tmp_path, task04_phantom, "cpu", False, method="SEAT", epochs=4)
    content = json.loads((tmp_path / "run.json").read_text())
    assert (content["method"], content["epochs"]) == ("SEAT", 4)
    assert "phantom" in content["data"].lower()


def test_data_without_a_description_have_none(tmp_path):
    write_run_record(tmp_path, tmp_path / "nowhere", "cpu", False)
    assert json.loads((tmp_path / "run.json").read_text()).get("data", "") == ""
