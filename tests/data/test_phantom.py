"""Phantoms: the same bytes each time, true to the task, and passing every check that real data must pass."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from monai.transforms import LoadImage, ScaleIntensity

from seat_components.data import check_cases, fold_datalist, inference_datalist, phantom, write_phantom
from seat_components.data.phantom import draw_anatomy
from seat_components.refusals import RefusalError
from seat_components.tasks import Task, all_tasks, fold_cases, load_task

HIPPOCAMPUS = load_task("Task04_Hippocampus")


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_other_ones(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    for folder, seed in ((first, 0), (second, 0), (other, 1)):
        write_phantom(HIPPOCAMPUS, folder, cases=(2, 1), seed=seed)
    assert content(first) == content(second)
    assert content(first).keys() == content(other).keys()
    assert content(first) != content(other)


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_every_task_s_phantom_passes_its_checks(task: Task, tmp_path: Path) -> None:
    write_phantom(task, tmp_path, cases=(1, 1))
    for section, names in zip(("training", "validation"), fold_cases(task), strict=True):
        cases = fold_datalist(tmp_path, task, section=section)  # type: ignore[arg-type]
        assert [Path(case["image"]).name for case in cases] == [f"{names[0]}.nii.gz"]
        check_cases(cases, range(len(task.labels)), len(task.modalities), progress=False)
        image, label = (LoadImage()(cases[0][key]) for key in ("image", "label"))
        assert image.pixdim.tolist() == pytest.approx(task.spacing, rel=0.11)
        assert label.unique().tolist() == list(range(len(task.labels)))
    check_cases(inference_datalist(tmp_path), (), len(task.modalities), progress=False)
    assert len(inference_datalist(tmp_path)) == 2


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_the_published_clipping_window_fits(task: Task, tmp_path: Path) -> None:
    """The foreground lies well inside the window: no structure is clipped away."""
    write_phantom(task, tmp_path, cases=(1, 1))
    case = fold_datalist(tmp_path, task)[0]
    image = LoadImage(ensure_channel_first=True)(case["image"])
    label = LoadImage()(case["label"])
    if not task.is_ct:
        image = ScaleIntensity(channel_wise=True)(image)
    for channel, low, high in zip(image, task.p0_5, task.p99_5, strict=True):
        inside = ((channel > low) & (channel < high))[label > 0]
        assert inside.float().mean() > 0.97


def test_the_dataset_json_counts_what_is_there(task04_phantom: Path) -> None:
    listed = json.loads((task04_phantom / "dataset.json").read_text())
    assert (listed["numTraining"], listed["numTest"]) == (6, 2) == (len(listed["training"]), len(listed["test"]))
    assert listed["labels"] == {"0": "background", "1": "Anterior", "2": "Posterior"}


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_parts_differ_from_their_neighbours_in_the_mean(classes: int) -> None:
    anatomy = draw_anatomy((40, 44, 36), classes, 2, np.random.default_rng(0))
    for channel, sign in zip(anatomy.contrast, (1, -1), strict=True):
        means = [channel[(anatomy.label == value) & ~anatomy.air & ~anatomy.bone].mean() for value in range(classes)]
        assert all(sign * step > 0.4 for step in np.diff(means))


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(RefusalError, match="not an empty folder"):
        phantom("Task04_Hippocampus", tmp_path)
    assert content(tmp_path) == {"mine.txt": b"precious"}


def test_an_empty_or_new_folder_is_filled(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "imagesTr" / "deeper"):
        assert phantom("msd_task04_hippocampus", folder, cases=(1, 1)) == folder


@pytest.mark.parametrize("cases", [(0, 1), (1, 53)])
def test_numbers_of_cases_that_the_fold_lacks_are_refused(tmp_path: Path, cases: tuple[int, int]) -> None:
    with pytest.raises(RefusalError, match="cases were asked for"):
        phantom("Task04_Hippocampus", tmp_path / "new", cases)
    assert not (tmp_path / "new").exists()
