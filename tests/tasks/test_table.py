"""The task table: internally consistent, and as published."""

from __future__ import annotations

import dataclasses

import pytest

from seat_components.refusals import RefusalError
from seat_components.tasks import Task, all_tasks, fold_cases, load_task
from seat_components.tasks.table import is_ct_name

BUNDLES = [
    "msd_task01_brain_tumour",
    "msd_task02_heart",
    "msd_task03_liver",
    "msd_task04_hippocampus",
    "msd_task05_prostate",
    "msd_task06_lung",
    "msd_task07_pancreas",
    "msd_task08_hepatic_vessel",
    "msd_task09_spleen",
    "msd_task10_colon",
]


def test_the_ten_bundles_in_order() -> None:
    assert [task.bundle for task in all_tasks()] == BUNDLES


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
class TestEveryTask:
    def test_both_names_lead_to_it(self, task: Task) -> None:
        assert load_task(task.name) is load_task(task.bundle) is task

    def test_one_value_per_channel(self, task: Task) -> None:
        channels = len(task.modalities)
        assert {len(values) for values in (task.p0_5, task.p99_5, task.mean, task.std)} == {channels}
        assert all(low < mean < high for low, mean, high in zip(task.p0_5, task.mean, task.p99_5, strict=True))

    def test_mri_lies_in_the_unit_interval_and_ct_in_hounsfield_units(self, task: Task) -> None:
        in_unit = all(low >= 0 and high <= 1 for low, high in zip(task.p0_5, task.p99_5, strict=True))
        assert in_unit is not task.is_ct

    def test_training_patch_fits_into_the_sampling_patch(self, task: Task) -> None:
        assert all(small <= large for small, large in zip(task.train_patch, task.sampling_patch, strict=True))

    def test_patches_can_be_halved_as_often_as_the_strides_ask(self, task: Task) -> None:
        for patch in (task.train_patch, task.val_patch):
            for axis, size in enumerate(patch):
                product = 1
                for stage in task.strides:
                    product *= stage[axis]
                assert size % product == 0

    def test_no_case_is_in_both_sections_or_twice(self, task: Task) -> None:
        training, validation = fold_cases(task)
        assert len({*training, *validation}) == len(training) + len(validation)

    def test_cannot_be_changed(self, task: Task) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            task.spacing = (1.0, 1.0, 1.0)  # type: ignore[misc]


def test_hippocampus_as_published() -> None:
    task = load_task("msd_task04_hippocampus")
    assert task.labels == ("background", "Anterior", "Posterior")
    assert task.train_patch == task.val_patch == (32, 48, 32)
    assert task.strides == ((1, 1, 1), (1, 1, 1), (2, 2, 2))
    assert [len(cases) for cases in fold_cases(task)] == [208, 52]


def test_brain_tumour_keeps_the_order_of_modalities_and_labels() -> None:
    task = load_task("Task01_BrainTumour")
    assert task.modalities == ("FLAIR", "T1w", "t1gd", "T2w")
    assert task.labels[1:] == ("edema", "non-enhancing tumor", "enhancing tumour")


def test_unknown_task_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RefusalError, match="nearest is 'msd_task09_spleen'"):
        load_task("msd_task9_spleen")


def test_unpublished_fold_is_refused() -> None:
    with pytest.raises(RefusalError, match="no fold 3: only fold 0"):
        fold_cases(load_task("Task09_Spleen"), fold=3)


@pytest.mark.parametrize("name", ["CT", "ct arterial", "CT_venous", "CT,late", "CTA", "NCCT", "Computed tomography"])
def test_words_for_ct(name: str) -> None:
    assert is_ct_name(name)


@pytest.mark.parametrize("name", ["MRI", "T1", "CT1", "SPECT", "CBCT", "PET/CT", "cartilage", "ctx", ""])
def test_words_for_something_else(name: str) -> None:
    assert not is_ct_name(name)
