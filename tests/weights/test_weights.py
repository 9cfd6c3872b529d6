"""Weights: listed as they are, verified by their hash, converted or refused, and untrained ones named as such."""

import shutil
from pathlib import Path

import pytest
import torch
from bundle_runs import run
from torch import nn

from seat_components.__main__ import main
from seat_components.bundles.render import write_bundle
from seat_components.bundles.results import results_of
from seat_components.networks import ROG, load_pretrained
from seat_components.refusals import RefusalError
from seat_components.tasks import all_tasks, load_task
from seat_components.weights import convert_weights, init_weights, inventory, is_untrained, verify
from seat_components.weights.bundle import network_of
from seat_components.weights.untrained import NOTICE

BUNDLES = Path(__file__).parents[2] / "bundles"
TASK = load_task("Task04_Hippocampus")


@pytest.fixture
def own(tmp_path):
    """A bundle of this test's own, without weights."""
    return write_bundle(TASK, tmp_path / "bundles")


def rog(task, seed=0):
    torch.manual_seed(seed)
    return ROG(len(task.modalities), len(task.labels), task.strides)


def test_shipped_weights_are_what_was_registered():
    entries = inventory(BUNDLES)
    assert {entry.path.name for entry in entries if entry.bundle == TASK.bundle} >= {"model.pt", "model_clean.pt"}
    assert verify(entries) == []


def test_a_changed_or_missing_file_is_named(tmp_path):
    models = tmp_path / TASK.bundle / "models"
    models.mkdir(parents=True)
    shutil.copy(BUNDLES / TASK.bundle / "models" / "model.pt", models)
    faults = verify(inventory(tmp_path))
    missing = [result.file for result in results_of(TASK) if result.file != "model.pt"]
    assert [Path(fault.split(" is absent")[0]).name for fault in faults] == missing
    content = bytearray((models / "model.pt").read_bytes())
    content[-1000] ^= 1
    (models / "model.pt").write_bytes(content)
    assert any("model.pt is not the registered file" in fault for fault in verify(inventory(tmp_path)))


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_untrained_weights_fit_every_bundle(task, tmp_path):
    bundle = write_bundle(task, tmp_path)
    file = init_weights(bundle)
    assert is_untrained(file)
    load_pretrained(rog(task), file)


def test_untrained_weights_are_the_same_for_one_seed_and_leave_the_random_state_alone(own):
    before = torch.get_rng_state()
    first = init_weights(own, seed=1).read_bytes()
    assert torch.equal(torch.get_rng_state(), before)
    assert init_weights(own, seed=1).read_bytes() == first
    assert init_weights(own, seed=2).read_bytes() != first


def test_weights_that_training_wrote_are_neither_overwritten_nor_called_untrained(own):
    file = init_weights(own)
    torch.save(rog(TASK, seed=5).state_dict(), file)
    assert not is_untrained(file)
    with pytest.raises(RefusalError, match="not overwritten"):
        init_weights(own)


def test_converting_unwraps_and_keeps_every_number(own, tmp_path):
    network = rog(TASK)
    source = tmp_path / "wrapped.pt"
    torch.save({"state_dict": {f"module.{name}": value for name, value in network.state_dict().items()}}, source)
    written = torch.load(convert_weights(source, own), weights_only=True)
    assert written.keys() == network.state_dict().keys()
    assert all(torch.equal(written[name], value) for name, value in network.state_dict().items())
    with pytest.raises(RefusalError, match="nothing is overwritten"):
        convert_weights(source, own)


def test_weights_of_another_task_or_network_are_refused(own, tmp_path):
    other = tmp_path / "other.pt"
    torch.save(rog(load_task("Task01_BrainTumour")).state_dict(), other)
    with pytest.raises(RefusalError, match="do not fit the network ROG"):
        convert_weights(other, own)
    torch.save(nn.Conv3d(1, 1, 1).state_dict(), other)
    with pytest.raises(RefusalError, match="missing in the file"):
        convert_weights(other, own)


def test_nothing_is_unpickled(own, tmp_path):
    source = tmp_path / "whole.pt"
    torch.save(rog(TASK), source)
    with pytest.raises(RefusalError, match="could run code"):
        convert_weights(source, own)
    assert not list((own / "models").glob("*.pt"))


def test_the_network_is_that_of_the_bundles_config(own):
    assert isinstance(network_of(own), ROG)


def test_commands(own, tmp_path, capsys):
    folder = ["--bundles", str(own.parent)]
    assert main(["weights", *folder, "--init", TASK.name]) == 0
    assert "untrained" in capsys.readouterr().out
    assert main(["weights", *folder]) == 0
    assert f"{TASK.bundle}/models/model.pt: untrained" in capsys.readouterr().out
    assert main(["weights", *folder, "--verify"]) == 1
    assert "model_clean.pt is absent" in capsys.readouterr().err
    source = str(own / "models" / "model.pt")
    assert main(["weights", *folder, "--convert", source]) == 1
    out = tmp_path / "converted.pt"
    assert main(["weights", *folder, "--convert", source, "--bundle", TASK.bundle, "--out", str(out)]) == 0
    load_pretrained(rog(TASK), out)


@pytest.mark.slow
def test_inference_says_untrained_on_the_console_and_beside_the_masks(own, task04_phantom, tmp_path):
    init_weights(own)
    out = tmp_path / "masks"
    small = {"val_patch_size": [48, 64, 48], "dataset_dir": task04_phantom, "output_dir": out}
    result = run(own, ["inference"], **small)
    assert result.returncode == 0, result.stdout
    assert "is untrained" in result.stdout
    assert "untrained" in (out / NOTICE).read_text()
    torch.save(rog(TASK, seed=5).state_dict(), own / "models" / "model.pt")
    result = run(own, ["inference"], **small)
    assert "is untrained" not in result.stdout
    assert not (out / NOTICE).exists()
