"""One run at a time writes a set of files; temporary files of killed processes are removed, those of others are not."""

import gc
import json
import os
import socket
import subprocess
import sys
from contextlib import suppress

import pytest
from filelock import FileLock, Timeout
from monai.bundle import ConfigWorkflow

from seat_components.files import remove_leftovers, write_text_atomically
from seat_components.refusals import RefusalError
from seat_components.running import FolderLock, locks

HOLD = """
import sys, time
from seat_components.running import FolderLock
lock = FolderLock(sys.argv[1], sys.argv[2:])
print("held", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the training files of ``tmp_path``."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, "training", tmp_path], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.slow
def test_another_process_is_refused_by_name_until_the_first_has_ended(tmp_path, holder):
    with pytest.raises(RefusalError, match=f"its training files now .process {holder.pid} on {socket.gethostname()}"):
        FolderLock("training", [tmp_path / "other", tmp_path])
    FolderLock("metrics", [tmp_path])
    holder.kill()
    holder.wait()
    assert FolderLock("training", [tmp_path]).files == "training"
    assert json.loads((tmp_path / ".training.owner.json").read_text())["process"] == os.getpid()


@pytest.mark.slow
def test_an_owner_that_cannot_be_read_is_no_reason_to_go_on(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(locks, "GRACE_SECONDS", 0.0)
    (tmp_path / ".training.owner.json").write_text("{")
    with pytest.raises(RefusalError, match="another process"):
        FolderLock("training", [tmp_path])


def test_within_one_process_a_run_may_follow_another(tmp_path):
    first = FolderLock("training", [tmp_path, tmp_path])
    second = FolderLock("training", [tmp_path])
    assert first is not second


def test_only_the_first_of_several_processes_holds_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(locks.idist, "get_rank", lambda: 1)
    FolderLock("training", [tmp_path / "new"])
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RefusalError, match="cannot be written in"):
        FolderLock("training", [tmp_path / "file" / "folder"])


def test_temporary_files_of_ended_processes_are_removed_and_others_stay(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = "".join(sign if sign.isalnum() else "_" for sign in socket.gethostname())
    names = {
        f".model.pt.{host}-{ended.pid}.abc123.part": False,
        f".model.pt.{host}-{os.getppid()}.abc123.part": True,
        f".model.pt.elsewhere_-{ended.pid}.abc123.part": True,
        ".note.part": True,
        f"model.pt.{host}-{ended.pid}.abc123.part": True,
    }
    slices = tmp_path / "slices"
    for folder in (tmp_path, slices):
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).touch()
    FolderLock("training", [tmp_path])
    for folder in (tmp_path, slices):
        assert {name: (folder / name).exists() for name in names} == names


def test_what_a_killed_write_leaves_is_found(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from seat_components.files import write_atomically\n"
        "write_atomically(Path(sys.argv[1]), lambda stream: os._exit(9))"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "a.b.json"], check=False).returncode == 9
    assert len(list(tmp_path.iterdir())) == 1
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []
    write_text_atomically("{}", tmp_path / "a.b.json")
    assert [file.name for file in tmp_path.iterdir()] == ["a.b.json"]


def test_a_run_of_a_config_holds_its_lock_until_its_last_line(tmp_path):
    """MONAI keeps what the lines of ``run`` give; a training's first line gives its lock."""

    def is_free():
        lock = FileLock(tmp_path / ".training.lock")
        with suppress(Timeout), lock.acquire(timeout=0):
            return True
        return False

    config = {
        "imports": ["$import seat_components.running as seat_running"],
        "run": [f"$seat_running.begin_training({str(tmp_path)!r}, {str(tmp_path)!r})", "$is_free()"],
    }
    file = tmp_path / "train.json"
    file.write_text(json.dumps(config))
    flow = ConfigWorkflow(config_file=str(file), workflow_type="train", logging_file=False)
    flow.parser.globals["is_free"] = is_free
    assert flow.run()[1:] == [False]
    gc.collect()
    assert is_free()
