"""What the model zoo's verification asks of a bundle, beyond MONAI's own checks in test_ten_contracts."""

import json
from pathlib import Path

import pytest

from seat_components.tasks import all_tasks

BUNDLES = Path(__file__).parents[2] / "bundles"
FILES = ("LICENSE", "configs/metadata.json", "configs/inference.json", "configs/logging.conf", "docs/README.md")
KEYS = {
    "inference": ("bundle_root", "device", "network_def", "inferer"),
    "train": ("bundle_root", "device", "dataset_dir"),
}
SECTIONS = {"train": "trainer", "validate": "evaluator"}
# An engine or a dataset that is given one of these must be given what its own section calls by the other name.
NAMED = {
    "postprocessing": "postprocessing",
    "inferer": "inferer",
    "transform": "preprocessing",
    "key_train_metric": "key_metric",
    "key_val_metric": "key_metric",
}


@pytest.fixture(params=[task.bundle for task in all_tasks()])
def folder(request):
    return BUNDLES / request.param


def load(folder, name):
    return json.loads((folder / "configs" / f"{name}.json").read_text())


def test_files_and_top_level_keys(folder):
    assert [name for name in FILES if not (folder / name).is_file()] == []
    for name, keys in KEYS.items():
        assert set(keys) <= load(folder, name).keys()


def test_the_version_is_in_the_changelog(folder):
    metadata = load(folder, "metadata")
    assert metadata["name"] == folder.name
    assert metadata["changelog"][metadata["version"]]


@pytest.mark.parametrize("section", list(SECTIONS))
def test_what_an_engine_uses_is_named_in_its_section(folder, section):
    content = load(folder, "train")[section]
    engine = content[SECTIONS[section]]
    assert content["handlers"]
    assert "data" in content["dataset"]
    assert section == "validate" or "max_epochs" in engine
    for user in (engine, content["dataset"]):
        for argument in NAMED.keys() & user.keys():
            assert NAMED[argument] in content
            assert user[argument].partition("@")[2].partition("[")[0] == f"{section}#{NAMED[argument]}"


def test_validation_comes_every_val_interval_epochs(folder):
    config = load(folder, "train")
    assert config["train"]["trainer"]["val_interval"] == "@val_interval"
    assert isinstance(config["val_interval"], int)
