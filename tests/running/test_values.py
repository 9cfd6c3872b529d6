"""The kinds of config values: the template's defaults are of their kind, and others are named."""

import json

import pytest

from seat_components.bundles.render import render
from seat_components.refusals import RefusalError
from seat_components.running.kinds import is_expression
from seat_components.running.options import OPTIONS
from seat_components.running.values import check_values
from seat_components.tasks import all_tasks


@pytest.mark.parametrize("task", [task.name for task in all_tasks()])
def test_the_defaults_of_every_bundle_pass(task):
    rendered = render(task)
    for name in ("train", "augment", "attack", "corrupt", "certify", "inference"):
        config = json.loads(rendered[f"configs/{name}.json"])
        check_values(**{id_: value for id_, value in config.items() if id_ in OPTIONS and not is_expression(value)})


WRONG = {
    "epochs": [0, -1, 2.5, "x", None, True],
    "batch_size": [2.5, "x", None],
    "lr_schedule": ["Cosine", "", 1, None],
    "phases": ["fast", 5, {}],
    "learning_rate": [-1, "x", float("inf"), float("nan")],
    "eps_255": ["x", None, [8]],
    "budget": ["std", "Range", 8, None, ["range"]],
    "patch_size": [16, [16, 16], [0, 8, 8], [8.5, 8, 8], "[8,8,8"],
    "cache_rate": [-0.1, 1.1, "x"],
    "num_workers": [-1, 0.5],
    "memory": ["huge", 1],
    "operators": ["slow", None, 1],
    "seed": [-1, 0.5, 2**32],
    "device": ["cuda:99", "gpu", "meta", 1.5],
    "cache_dir": [3, True],
    "stop_after_minutes": ["x"],
    "attack_eps_255": ["x", [2, "x"], None],
    "draws": [0, 2.5, "x", None],
    "augment_noise": [-1, None],
    "augment_gamma": [0.5, [0.5], [2, 0.5], [0, 1]],
}


@pytest.mark.parametrize("name", WRONG)
def test_values_of_another_kind_are_refused_by_name(name):
    for value in WRONG[name]:
        with pytest.raises(RefusalError) as caught:
            check_values(**{name: value})
        assert str(caught.value).startswith(f"{name} is {value!r}, but it must be ")


def test_all_wrong_values_are_named():
    with pytest.raises(RefusalError, match=r"epochs is 0.*\n.*seed is -1"):
        check_values(epochs=0, batch_size=3, seed=-1)
