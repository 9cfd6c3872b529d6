"""Small runs come to the stored figures: a change of structure changes nothing that is computed."""

import json

import golden_runs
import pytest

STORED = json.loads(golden_runs.FIGURES.read_text())
# Another machine or build of PyTorch rounds otherwise, which may turn a voxel's class; what is wrong is off by more.
WEIGHTS, RECORDS = {"rel": 1e-4, "abs": 1e-4}, {"rel": 1e-3, "abs": 1e-3}


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """Run → what it computed."""
    folders = golden_runs.make(tmp_path_factory.mktemp("golden"))
    return {name: golden_runs.content(folder) for name, folder in folders.items()}


def leaves(value, path=""):
    """The numbers and words in nested figures: path → leaf."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return {at: leaf for key, part in inner for at, leaf in leaves(part, f"{path}/{key}").items()}
    return {path: value}


@pytest.mark.slow
@pytest.mark.parametrize("run", STORED)
def test_a_run_comes_to_its_stored_figures(contents, run):
    found, stored = leaves(golden_runs.figures(contents[run])), leaves(STORED[run])
    assert found.keys() == stored.keys()
    assert not {at: (leaf, stored[at]) for at, leaf in found.items() if not is_close(leaf, stored[at], at)}


def is_close(leaf, stored, at):
    if not isinstance(leaf, float):
        return leaf == stored
    return leaf == pytest.approx(stored, **(WEIGHTS if ".pt/" in at else RECORDS))


@pytest.mark.slow
def test_every_run_is_stored(contents):
    assert contents.keys() == STORED.keys()


@pytest.mark.slow
def test_stopped_and_resumed_is_uninterrupted_to_the_bit(contents):
    assert golden_runs.checksum(contents["resumed"]) == golden_runs.checksum(contents["seat"])
