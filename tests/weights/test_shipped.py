"""Shipped weights are never lost: copied before a training, left out of zips, and brought back."""

import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch

from seat_components.__main__ import main
from seat_components.bundles.render import write_bundle
from seat_components.bundles.results import results_of
from seat_components.refusals import RefusalError
from seat_components.tasks import all_tasks, load_task
from seat_components.weights import bundle_zip, inventory, keep_shipped, restore_shipped, verify, zip_bundles

TASK = load_task("Task04_Hippocampus")
SHIPPED = Path(__file__).parents[2] / "bundles" / TASK.bundle / "models"
NAMES = [result.file for result in results_of(TASK)]


@pytest.fixture
def models(tmp_path):
    """The models of a bundle as it is shipped."""
    folder = write_bundle(TASK, tmp_path / "bundles") / "models"
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        shutil.copy(SHIPPED / name, folder)
    return folder


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.glob("*.pt")}


def test_registered_files_are_copied_once_and_said(models, caplog):
    before = contents(models)
    copies = keep_shipped(models)
    assert {copy.name: copy.read_bytes() for copy in copies} == {
        name.replace(".pt", "_shipped.pt"): before[name] for name in NAMES
    }
    assert "--restore" in caplog.text
    assert all(str(copy) in caplog.text for copy in copies)
    caplog.clear()
    assert keep_shipped(models) == []
    assert caplog.text == ""


def test_a_copy_is_never_overwritten(models):
    (models / "model_shipped.pt").write_bytes(b"the user's own")
    keep_shipped(models)
    assert (models / "model_shipped.pt").read_bytes() == b"the user's own"
    torch.save({}, models / "model.pt")
    restore_shipped(models.parent)
    assert (models / "model.pt").read_bytes() == (SHIPPED / "model.pt").read_bytes()


def test_what_is_not_registered_is_not_copied(tmp_path):
    torch.save({}, tmp_path / "model.pt")
    assert keep_shipped(tmp_path) == []
    assert keep_shipped(tmp_path / "absent") == []


def test_restoring_brings_every_byte_back_and_keeps_what_was_trained(models, capsys):
    before = contents(models)
    keep_shipped(models)
    for trained in (1, 2):
        torch.save({"trained": torch.tensor(trained)}, models / "model.pt")
        (models / "model_clean.pt").unlink()
        assert main(["weights", "--restore", str(models.parent)]) == 0
        assert "is as shipped again" in capsys.readouterr().out
        now = contents(models)
        assert {name: now[name] for name in NAMES} == before
        kept = torch.load(models / f"model_replaced_{trained}.pt", weights_only=True)
        assert kept["trained"] == trained
    assert main(["weights", "--restore", TASK.bundle, "--bundles", str(models.parents[1])]) == 0
    assert "nothing to restore" in capsys.readouterr().out


def test_a_damaged_copy_is_not_taken_for_what_was_shipped(models):
    keep_shipped(models)
    for file in models.glob("*.pt"):
        if file.name != "model_shipped.pt":
            file.unlink()
    content = bytearray((models / "model_shipped.pt").read_bytes())
    content[-1000] ^= 1
    (models / "model_shipped.pt").write_bytes(content)
    with pytest.raises(RefusalError, match="no copy of any"):
        restore_shipped(models.parent)
    assert not (models / "model.pt").exists()


def test_copies_are_in_no_zip_and_trouble_no_inventory(models, tmp_path):
    bundles = models.parents[1]
    for task in all_tasks():
        write_bundle(task, bundles)
    keep_shipped(models)
    entries = [entry for entry in inventory(bundles) if entry.bundle == TASK.bundle]
    assert [entry.state for entry in entries if entry.path.stem.endswith("_shipped")] == ["copy"] * len(NAMES)
    assert verify(entries) == []
    zip_bundles(tmp_path / "dist", bundles)
    with ZipFile(bundle_zip(models.parent, tmp_path / "dist")) as archive:
        assert {name for name in archive.namelist() if name.endswith(".pt")} == {
            f"{TASK.bundle}/models/{name}" for name in NAMES
        }
