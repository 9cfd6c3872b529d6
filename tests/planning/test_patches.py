"""Patches and strides: the ten published plans, and laws that hold for any data."""

import json
import math
from importlib import resources

import pytest
import torch

from seat_components.networks import ROG
from seat_components.planning.patches import plan_patches, published_patches

PUBLISHED = json.loads(resources.files("seat_components.tasks").joinpath("msd_tasks.json").read_text("utf-8"))
SIZES = [1, 3, 7, 8, 9, 15, 16, 24, 33, 50, 64, 90, 96, 128, 129, 155, 200, 320, 400, 512, 700]
OBJECTS = [((2, 2, 2), 6), ((19, 23, 20), 1580), ((70, 60, 10), 20000), ((120, 120, 40), 300000), ((0.4, 0.4, 0.2), 1)]


@pytest.mark.parametrize("task", PUBLISHED)
def test_the_published_fingerprints_give_the_published_plans(task):
    fingerprint, plan = PUBLISHED[task]["fingerprint"], PUBLISHED[task]["plan"]
    sizes = (fingerprint["median_size"], fingerprint["small_size"], fingerprint["small_volume"])
    for patches in (published_patches(*sizes), plan_patches(*sizes)):
        assert [list(stage) for stage in patches.strides] == plan["strides"]
        assert list(patches.train) == plan["train_patch"]
        assert list(patches.sampling) == plan["sampling_patch"]
        assert list(patches.val) == plan["val_patch"]


@pytest.mark.parametrize(("small", "volume"), OBJECTS)
@pytest.mark.parametrize("last", SIZES)
def test_any_plan_fits_the_network(last, small, volume):
    for size in SIZES:
        patches = plan_patches((size, 180.0, last), small, volume)
        for axis, median in enumerate((size, 180, last)):
            factor = 4 * math.prod(stage[axis] for stage in patches.strides)
            assert patches.train[axis] % factor == patches.val[axis] % factor == 0
            assert 8 <= patches.train[axis] <= patches.sampling[axis]
            assert patches.train[axis] <= max(median, 8)
            assert all(isinstance(number, int) for number in (patches.val[axis], patches.sampling[axis]))


def test_beyond_the_published_rules_windows_are_divisible():
    arguments = ((400.0, 400.0, 100.0), (60.0, 60.0, 30.0), 50000.0)
    assert published_patches(*arguments).val[0] == 200
    assert plan_patches(*arguments).val[0] == 224


def test_a_short_axis_is_padded_and_keeps_its_resolution():
    patches = plan_patches((256, 256, 5), (40, 40, 3), 3000)
    assert (patches.train[2], patches.sampling[2], patches.val[2]) == (8, 8, 8)
    assert [stage[2] for stage in patches.strides] == [1, 1, 1]


def test_a_long_last_axis_counts_as_160_voxels():
    arguments = ((60, 60, 40), 90000)
    assert plan_patches((512, 512, 900), *arguments) == plan_patches((512, 512, 160), *arguments)


@pytest.mark.parametrize("size", [(20.0, 5.0, 9.0), (64.0, 40.0, 12.0)])
def test_the_network_runs_on_the_planned_patches(size):
    patches = plan_patches(size, (6.0, 5.0, 4.0), 60.0)
    network = ROG(1, 2, patches.strides).eval()
    for patch in (patches.train, patches.val):
        with torch.no_grad():
            assert network(torch.zeros(1, 1, *patch)).shape == (1, 2, *patch)
