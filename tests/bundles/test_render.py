"""The committed bundles are what the template and the table give, and hold to MONAI's contract."""

import json
from pathlib import Path

import jsonschema
import pytest
from bundle_runs import SMALL, files
from monai.bundle import ConfigWorkflow

from seat_components.bundles.render import fill, render
from seat_components.tasks import all_tasks, load_task

BUNDLES = Path(__file__).parents[2] / "bundles"
COMMITTED = sorted(folder.name for folder in BUNDLES.glob("msd_task*"))
NOT_RENDERED = {".pt"}


@pytest.mark.parametrize("name", COMMITTED)
def test_rendering_gives_byte_for_byte_what_is_committed(name):
    committed = {
        str(file.relative_to(BUNDLES / name)): file.read_bytes()
        for file in (BUNDLES / name).rglob("*")
        if file.is_file() and file.suffix not in NOT_RENDERED
    }
    assert {path: text.encode() for path, text in render(name).items()} == committed


@pytest.mark.parametrize("task", [task.name for task in all_tasks()])
def test_every_task_renders_valid_json_without_a_placeholder_left(task):
    for path, text in render(task).items():
        assert "{{" not in text, path
        if path.endswith(".json"):
            json.loads(text)


@pytest.mark.parametrize("task", [task.name for task in all_tasks()])
def test_metadata_keeps_the_schema(task):
    schema = json.loads((Path(__file__).parent / "data" / "meta_schema_20240725.json").read_text())
    metadata = json.loads(render(task)["configs/metadata.json"])
    jsonschema.validate(metadata, schema)
    assert metadata["version"] in metadata["changelog"]
    network = metadata["network_data_format"]
    assert network["inputs"]["image"]["num_channels"] == len(load_task(task).modalities)
    assert len(network["outputs"]["pred"]["channel_def"]) == network["outputs"]["pred"]["num_channels"]


def test_a_placeholder_without_a_value_is_an_error():
    with pytest.raises(KeyError):
        fill('{"a": "{{unknown}}"}', {})


def test_train_json_has_the_properties_that_monai_asks_for(bundle, task04_phantom, tmp_path):
    flow = ConfigWorkflow(
        config_file=files(bundle, ["train"]),
        meta_file=str(bundle / "configs" / "metadata.json"),
        workflow_type="train",
        bundle_root=str(bundle),
        dataset_dir=str(task04_phantom),
        ckpt_dir=str(tmp_path),
        output_dir=str(tmp_path),
        **SMALL,
    )
    flow.initialize()
    assert flow.check_properties() == []


def test_inference_json_has_the_properties_that_monai_asks_for(bundle, task04_phantom, tmp_path):
    weights = tmp_path / "model.pt"
    flow = ConfigWorkflow(
        config_file=files(bundle, ["inference"]),
        meta_file=str(bundle / "configs" / "metadata.json"),
        workflow_type="inference",
        bundle_root=str(bundle),
        dataset_dir=str(task04_phantom),
        output_dir=str(tmp_path),
        weights=str(weights),
        checkpointloader=None,
    )
    flow.initialize()
    assert flow.check_properties() == []
