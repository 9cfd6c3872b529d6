"""Whether a scan is what the bundle is for: phantoms and real scans pass, others are named with figure and rule."""

from __future__ import annotations

import numpy as np
import pytest

from seat_components.bundles.transforms import expectation
from seat_components.data import Expectation, check_cases
from seat_components.tasks import all_tasks, load_task

CT = np.array([[-1024.0, -1000.0, 300.0, 3000.0]])
MRI = np.array([[0.0, 2.0, 700.0, 900.0]])


def expected(name):
    facts = expectation(load_task(name))
    return Expectation(**{key: value for key, value in facts.items() if key != "_target_"})


def remarks(name, seen, spacing=None, shape=None):
    task = load_task(name)
    affine = np.diag([*(spacing or task.spacing), 1.0])
    return expected(name).remarks(
        affine, shape or tuple(map(int, task.median_size)), np.repeat(seen, len(task.p0_5), 0)
    )


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_the_tasks_own_scans_are_not_remarked_on(task):
    assert remarks(task.name, CT if task.is_ct else MRI) == []


FAR = {
    "stored values": ("Task09_Spleen", np.array([[0.0, 1.0, 1500.0, 4095.0]]), {}, "without their rescale"),
    "normalised CT": ("Task09_Spleen", np.array([[-3.0, -2.0, 2.0, 4.0]]), {}, "already normalised"),
    "MRI for CT": ("Task06_Lung", MRI, {}, "or MRI"),
    "shifted twice": ("Task09_Spleen", np.array([[-2048.0, -2024.0, -700.0, 900.0]]), {}, "Hounsfield units?"),
    "scaled twice": ("Task09_Spleen", np.array([[-9000.0, -9000.0, 9000.0, 9000.0]]), {}, "applied twice"),
    "CT for MRI": ("Task04_Hippocampus", CT, {}, "none below 0"),
    "normalised MRI": ("Task04_Hippocampus", np.array([[0.0, 0.0, 0.9, 1.0]]), {}, "not within 0 to 1"),
    "a hot voxel": ("Task02_Heart", np.array([[0.0, 2.0, 700.0, 90000.0]]), {}, "far too bright"),
    "coarse": (
        "Task04_Hippocampus",
        MRI,
        {"spacing": (1, 1, 5.1), "shape": (35, 50, 12)},
        "has spacing 1 × 1 × 5.1 mm, more than 5 times",
    ),
    "a whole head": ("Task04_Hippocampus", MRI, {"shape": (200, 256, 256)}, "measures 200 × 256 × 256 mm, but"),
    "a crop": ("Task09_Spleen", CT, {"shape": (40, 40, 30)}, "the same part of the body"),
}


@pytest.mark.parametrize("kind", FAR)
def test_what_is_far_outside_is_named_with_its_figure(kind):
    name, seen, options, rule = FAR[kind]
    (remark,) = remarks(name, seen, **options)
    assert rule in remark


def test_real_scans_are_not_remarked_on(real_task04, caplog):
    cases = [{"image": str(file)} for file in sorted((real_task04 / "imagesTr").glob("*.nii.gz"))[::20]]
    check_cases(cases, (), 1, progress=False, expected=expected("Task04_Hippocampus"), strict=True)
    assert not caplog.records
