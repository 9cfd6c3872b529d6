"""Fold lists: exactly the listed cases of the asked section, and nothing that is not there."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from seat_components.data import fold_datalist
from seat_components.refusals import RefusalError
from seat_components.tasks import fold_cases, load_task

TASK = load_task("Task04_Hippocampus")


@pytest.fixture
def dataset(task04_phantom: Path, tmp_path: Path) -> Path:
    """A phantom that a test may damage."""
    return Path(shutil.copytree(task04_phantom, tmp_path / "dataset"))


def names(cases: list[dict[str, str]]) -> list[str]:
    return [Path(case["image"]).name.removesuffix(".nii.gz") for case in cases]


def test_sections_are_the_published_ones_in_the_published_order(task04_phantom: Path) -> None:
    training, validation = fold_cases(TASK)
    assert names(fold_datalist(task04_phantom, TASK)) == list(training[:4])
    assert names(fold_datalist(task04_phantom, TASK.bundle, section="validation")) == list(validation[:2])


def test_unlisted_cases_are_counted_in_one_warning(task04_phantom: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        fold_datalist(task04_phantom, TASK)
    assert [record.message.split(" are not")[0] for record in caplog.records] == [
        "204 of the 208 training cases of Task04_Hippocampus's fold 0"
    ]


@pytest.mark.parametrize("folder", ["imagesTr", "labelsTr"])
def test_every_missing_file_is_named(dataset: Path, folder: str) -> None:
    lost = [dataset / folder / f"{name}.nii.gz" for name in fold_cases(TASK)[0][:2]]
    for file in lost:
        file.unlink()
    with pytest.raises(RefusalError, match=r"2 file\(s\) that do not exist") as refusal:
        fold_datalist(dataset, TASK)
    assert all(str(file) in str(refusal.value) for file in lost)


def test_validation_needs_no_training_case(dataset: Path) -> None:
    for name in fold_cases(TASK)[0][:4]:
        (dataset / "imagesTr" / f"{name}.nii.gz").unlink()
    assert len(fold_datalist(dataset, TASK, section="validation")) == 2


def test_no_case_left_is_refused(dataset: Path) -> None:
    content = json.loads((dataset / "dataset.json").read_text())
    kept = [case for case in content["training"] if any(name in case["image"] for name in fold_cases(TASK)[1])]
    (dataset / "dataset.json").write_text(json.dumps({**content, "training": kept}))
    with pytest.raises(RefusalError, match="none of the 208 training cases"):
        fold_datalist(dataset, TASK)


def test_unknown_fold_and_section_are_refused(task04_phantom: Path) -> None:
    with pytest.raises(RefusalError, match="no fold 1"):
        fold_datalist(task04_phantom, TASK, fold=1)
    with pytest.raises(RefusalError, match="'test' is not a section"):
        fold_datalist(task04_phantom, TASK, section="test")  # type: ignore[arg-type]


def test_real_dataset(real_task04: Path) -> None:
    assert len(fold_datalist(real_task04, TASK)) == 208
    assert len(fold_datalist(real_task04, TASK, section="validation")) == 26
