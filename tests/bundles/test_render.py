"""The committed bundles are what the template and the table give, and hold to MONAI's contract."""

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from bundle_runs import SMALL, files
from jinja2 import DictLoader, UndefinedError
from monai.bundle import ConfigWorkflow

from seat_components.bundles.render import render
from seat_components.bundles.template_files import fill, template
from seat_components.tasks import all_tasks, load_task
from seat_components.tasks.table import OwnData

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


@pytest.mark.parametrize("text", ['{"a": "{{unknown}}"}', "{{ known.unknown }}", "{% if unknown %}x{% endif %}"])
@pytest.mark.parametrize("name", ["a.json", "a.md"])
def test_a_name_without_a_value_is_an_error(name, text):
    with pytest.raises(UndefinedError):
        fill(template(DictLoader({name: text})), {"known": {}})


def test_quotes_and_braces_around_a_value_are_json_in_json_alone():
    text = '{\n    "a": "{{value}}", "b": "{{value[0]}}", "c": "say {{word}}"\n}'
    values = {"value": [{"x": 1}, {"y": "<'é\\\n\"{{"}], "word": "no"}
    filled = fill(template(DictLoader({"a.json": text, "a.txt": text})), values)
    assert json.loads(filled["a.json"]) == {"a": values["value"], "b": {"x": 1}, "c": "say no"}
    assert filled["a.json"].splitlines()[2] == '        {"x": 1},'
    assert '"c": "say no"' in filled["a.txt"]
    assert str(values["value"]) in filled["a.txt"]


def test_what_a_dataset_says_stands_in_its_bundle_to_the_letter():
    said = """<b> & 'q' "Q" \\ {{ task }} {% if %} {# é"""
    own = OwnData(said, said, said, ((("a", "b"), ("c",)), (("a", "c"), ("b",))))
    files = render(replace(load_task("Task09_Spleen"), name="own", bundle="own", own=own))
    assert files["docs/README.md"].count(said) == 4
    assert files["docs/data_license.txt"].count(said) == 3
    metadata = json.loads(files["configs/metadata.json"])
    assert metadata["references"][-1] == said
    assert metadata["data_source"] == f"The dataset {said}"
    assert "with\n2 + 1, 2 + 1 training + validation cases.\n" in files["docs/README.md"]


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


def test_what_asks_for_the_epochs_reads_those_that_the_trainer_gets():
    """MONAI's own id of them may be overridden as well as ours: a record or rate that read ours would be wrong."""
    readers = [text for path, text in render("msd_task04_hippocampus").items() if path.endswith(".json")]
    assert [len(re.findall(r"@epochs\b", text)) for text in readers if "@epochs" in text] == [1]
    assert '"max_epochs": "@epochs"' in "".join(readers)
