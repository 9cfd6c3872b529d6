"""From fingerprint to plan: batch size, refused intensities."""

from dataclasses import replace

import pytest
from own_datasets import blobs

from seat_components.planning import Patches, make_plan, measure_dataset, read_description
from seat_components.planning.plan import batch_size
from seat_components.refusals import RefusalError
from seat_components.tasks import all_tasks, fold_cases

EXACT = {1, 2, 3, 4, 6, 7, 10}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return read_description(blobs(tmp_path_factory.mktemp("data") / "Belly"))


@pytest.fixture(scope="module")
def fingerprint(dataset):
    return measure_dataset(dataset, progress=False)


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_batches_are_near_the_published_ones(task):
    patches = Patches(task.strides, task.train_patch, task.sampling_patch, task.val_patch)
    cases = sum(map(len, fold_cases(task)))
    batch = batch_size(patches, len(task.modalities), len(task.labels), cases)
    assert task.batch_size / 1.3 <= batch <= 2.5 * task.batch_size
    if int(task.name[4:6]) in EXACT:
        assert batch == task.batch_size


@pytest.mark.parametrize(("cases", "batch"), [(2, 1), (4, 1), (6, 2), (20, 8), (1000, 22)])
def test_an_epoch_has_two_batches_where_it_can(cases, batch):
    patches = Patches(((1, 1, 1),) * 3, (8, 8, 8), (8, 8, 8), (8, 8, 8))
    assert batch_size(patches, 1, 2, cases) == batch


def test_the_plan_is_deterministic(dataset, fingerprint):
    again = measure_dataset(dataset, progress=False)
    assert make_plan(dataset, fingerprint).to_json() == make_plan(dataset, again).to_json()


def test_ct_that_is_not_in_hounsfield_units_is_refused(dataset, fingerprint):
    with pytest.raises(RefusalError, match=r"dataset\.json: channel 0 is listed as \"CT\".*not Hounsfield units"):
        make_plan(dataset, replace(fingerprint, p99_5=(20000.0,)))


def test_a_constant_foreground_is_refused(dataset, fingerprint):
    with pytest.raises(RefusalError, match=r"foreground of channel 0 .* is constant"):
        make_plan(dataset, replace(fingerprint, p0_5=(7.0,), p99_5=(7.0,)))
