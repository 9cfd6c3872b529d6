"""Checks before training: good cases pass; each rule that a bad one breaks is said in its own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_volumes import affine_of, save
from numpy.typing import NDArray

from seat_components.data import check_cases, fold_datalist
from seat_components.refusals import RefusalError

SHAPE = (6, 7, 5)
LABELS = range(3)
Case = dict[str, str]


def image_of(channels: int = 1) -> NDArray[np.float32]:
    shape = SHAPE if channels == 1 else (*SHAPE, channels)
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def label_of() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 3, size=SHAPE, dtype=np.uint8)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A good case, which a test spoils by writing over one of its files."""
    return {
        "image": save(image_of(), tmp_path / "image.nii.gz"),
        "label": save(label_of(), tmp_path / "label.nii.gz"),
    }


def check(*cases: Case, channels: int = 1) -> None:
    assert check_cases(cases, LABELS, channels, progress=False) == cases


def with_voxel(array: NDArray[np.float32], value: float) -> NDArray[np.float32]:
    array = array.astype(np.float32)
    array[1, 2, 3] = value
    return array


def truncate(path: str) -> None:
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: len(whole) * 2 // 3])


def spoil(key: str, array: NDArray[np.generic], affine: NDArray[np.float64] | None = None) -> Callable[[Case], object]:
    return lambda case: save(array, Path(case[key]), affine)


FLIPPED = affine_of("LAS", (1.0, 1.0, 1.0))

BAD = {
    "truncated image": (lambda case: truncate(case["image"]), "image", "cannot be read to the end"),
    "truncated label": (lambda case: truncate(case["label"]), "label", "cannot be read to the end"),
    "missing": (lambda case: Path(case["image"]).unlink(), "image", "cannot be read to the end"),
    "not an image": (lambda case: Path(case["label"]).write_text("?"), "label", "cannot be read to the end"),
    "flat": (spoil("image", image_of()[0]), "image", "not a 3D volume"),
    "channels": (spoil("image", image_of(2)), "image", r"has 2 channel\(s\), but the task needs 1"),
    "NaN": (spoil("image", with_voxel(image_of(), np.nan)), "image", r"1 voxel\(s\) that are NaN"),
    "infinite": (spoil("image", with_voxel(image_of(), np.inf)), "image", r"1 voxel\(s\) that are NaN or inf"),
    "constant": (spoil("image", np.ones(SHAPE, np.float32)), "image", "is constant"),
    "shape": (spoil("label", label_of()[:-1]), "label", r"has shape \(5, 7, 5\), but its image has \(6, 7, 5\)"),
    "grid": (spoil("label", label_of(), FLIPPED), "label", "lies on another grid"),
    "label 7": (spoil("label", with_voxel(label_of(), 7)), "label", r"label value\(s\) 7, but the task's are 0, 1, 2"),
    "label 0.5": (spoil("label", with_voxel(label_of(), 0.5)), "label", r"0\.5 is not a whole number"),
    "label NaN": (spoil("label", with_voxel(label_of(), np.nan)), "label", r"nan is not a whole number"),
    "label of two channels": (spoil("label", image_of(2)), "label", "has 2 channels, but a label has one"),
}


def test_a_good_case_passes(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_with_its_rule(case: Case, kind: str) -> None:
    damage, key, rule = BAD[kind]
    damage(case)
    with pytest.raises(RefusalError, match=rule) as refusal:
        check(case)
    assert case[key] in str(refusal.value)
    assert str(refusal.value).startswith("1 of the files of 1 case(s)")


def test_headers_that_differ_by_rounding_pass(case: Case) -> None:
    affine = np.eye(4)
    affine[:3, 3] = 0.05
    save(label_of(), Path(case["label"]), affine)
    check(case)


def test_labels_stored_as_floating_point_pass(case: Case) -> None:
    save(label_of().astype(np.float64), Path(case["label"]))
    check(case)


def test_channels_last_images_pass(case: Case) -> None:
    save(image_of(4), Path(case["image"]))
    check(case, channels=4)


def test_one_constant_channel_passes(case: Case) -> None:
    image = image_of(2)
    image[..., 1] = 5
    save(image, Path(case["image"]))
    check(case, channels=2)


def test_all_bad_files_are_counted_and_the_first_twenty_named(case: Case, tmp_path: Path) -> None:
    bad = [{"image": str(tmp_path / f"{n}.nii.gz"), "label": case["label"]} for n in range(25)]
    with pytest.raises(RefusalError, match=r"^25 of the files of 26 case") as refusal:
        check(case, *bad)
    named = [line for line in str(refusal.value).splitlines() if "cannot be read" in line]
    assert len(named) == 20
    assert str(refusal.value).endswith("… and 5 more")


def test_scans_without_label_may_be_constant_but_must_fit(case: Case) -> None:
    save(np.ones(SHAPE, np.float32), Path(case["image"]))
    scan = {"image": case["image"]}
    check(scan)
    with pytest.raises(RefusalError, match="needs 2"):
        check(scan, channels=2)


def test_every_real_case_passes(real_task04: Path) -> None:
    for section in ("training", "validation"):
        check(*fold_datalist(real_task04, "Task04_Hippocampus", section=section))  # type: ignore[arg-type]
