"""run.json says what a run was, and what its data say about themselves."""

import json

from seat_components.running import write_run_record


def test_a_training_on_phantoms_is_known_as_one(task04_phantom, tmp_path):
    values = write_run_record(tmp_path, task04_phantom, method="SEAT", epochs=4)
    content = json.loads((tmp_path / "run.json").read_text())
    assert content == values
    assert content["method"] == "SEAT"
    assert "phantom" in content["data"].lower()


def test_data_without_a_description_have_none(tmp_path):
    assert write_run_record(tmp_path, tmp_path / "nowhere")["data"] == ""
