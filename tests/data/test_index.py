"""Reading dataset.json: what is listed comes back with absolute paths; what cannot be trusted is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seat_components.data import read_dataset
from seat_components.refusals import RefusalError

ENTRY = {"image": "./imagesTr/a_1.nii.gz", "label": "./labelsTr/a_1.nii.gz"}


def write(folder: Path, **content: Any) -> Path:
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def test_paths_are_absolute_and_cases_named_by_their_file(tmp_path: Path) -> None:
    index = read_dataset(write(tmp_path, training=[ENTRY], test=["./imagesTs/b_1.nii.gz"]))
    assert index.training == {
        "a_1": {"image": str(tmp_path / "imagesTr/a_1.nii.gz"), "label": str(tmp_path / "labelsTr/a_1.nii.gz")}
    }
    assert index.test == (str(tmp_path / "imagesTs/b_1.nii.gz"),)


def test_archive_litter_is_dropped(tmp_path: Path) -> None:
    litter = {"image": "./imagesTr/._a_1.nii.gz", "label": "./labelsTr/._a_1.nii.gz"}
    index = read_dataset(write(tmp_path, training=[ENTRY, litter], test=["imagesTs/._b.nii.gz"]))
    assert list(index.training) == ["a_1"]
    assert index.test == ()


@pytest.mark.parametrize("escape", ["../secret.nii.gz", "/etc/passwd", "imagesTr/../../secret.nii.gz"])
@pytest.mark.parametrize("section", ["image", "label", "test"])
def test_a_path_that_leads_outside_is_refused(tmp_path: Path, escape: str, section: str) -> None:
    content = (
        {"training": [ENTRY], "test": [escape]} if section == "test" else {"training": [{**ENTRY, section: escape}]}
    )
    with pytest.raises(RefusalError, match="outside the dataset"):
        read_dataset(write(tmp_path, **content))


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    (dataset / "imagesTr").mkdir(parents=True)
    (tmp_path / "elsewhere.nii.gz").touch()
    (dataset / "imagesTr" / "a_1.nii.gz").symlink_to(tmp_path / "elsewhere.nii.gz")
    with pytest.raises(RefusalError, match=r"a_1\.nii\.gz' leads to .*elsewhere"):
        read_dataset(write(dataset, training=[ENTRY]))


def test_a_link_to_the_dataset_itself_is_fine(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "dataset")
    write(tmp_path / "dataset", training=[ENTRY])
    assert list(read_dataset(tmp_path / "link").training) == ["a_1"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (None, "does not exist"),
        ("{", "not valid JSON"),
        ("[]", "must hold a JSON object"),
        ('{"training": {}}', '"training" must be a list'),
        ('{"training": ["imagesTr/a.nii.gz"]}', 'each "training" entry must be'),
        ('{"training": [], "test": [3]}', 'each "test" entry must be'),
        ('{"training": []}', "lists no case"),
        (json.dumps({"training": [ENTRY, ENTRY]}), "a_1 stands twice"),
    ],
)
def test_an_unusable_dataset_json_is_refused_by_its_rule(tmp_path: Path, text: str | None, rule: str) -> None:
    if text is not None:
        (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(RefusalError, match=rule) as refusal:
        read_dataset(tmp_path)
    assert str(tmp_path / "dataset.json") in str(refusal.value)
