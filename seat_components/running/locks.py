"""One run at a time writes a set of files: a lock that the operating system holds, and the name of who has it."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import ignite.distributed as idist
import psutil
from filelock import FileLock, Timeout

from seat_components.files import remove_leftovers, write_text_atomically
from seat_components.refusals import refuse

logger = logging.getLogger(__name__)

# Loader workers of a run that was killed hold its lock until they have noticed, which takes them some seconds.
GRACE_SECONDS = 20.0


class FolderLock:
    """Keep folders' ``files`` for this run, as long as this object or its process lives.

    Several runs may write into one folder if they write other sets of files, as an evaluation beside a training. The
    operating system lets go of a lock when its process ends, however it ends. In a run of several processes the first
    one, which writes, holds it for all. Temporary files that killed processes have left in the folders are removed.

    Args:
        files: which set: ``training``, ``metrics``, ``robustness`` or ``masks``, for example.
        folders: where they are written; made where missing.

    Raises:
        RefusalError: if another run writes them, with its host, process and start; or if a folder cannot be written.
    """

    def __init__(self, files: str, folders: Sequence[str | Path]) -> None:
        self.files = files
        self._locks: list[FileLock] = []
        if idist.get_rank() != 0:
            return
        for folder in dict.fromkeys(Path(folder).resolve() for folder in folders):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._hold(folder)
            except OSError as error:
                refuse(f"{folder} cannot be written in ({error.strerror or error}): take another folder.")
            for place in (folder, *(entry for entry in folder.iterdir() if entry.is_dir())):
                remove_leftovers(place)

    def _hold(self, folder: Path) -> None:
        owner = folder / f".{self.files}.owner.json"
        # Within one process a run may follow another, whose objects still wait for their collection.
        lock = FileLock(folder / f".{self.files}.lock", is_singleton=True)
        deadline = time.monotonic() + GRACE_SECONDS
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                if time.monotonic() > deadline or not _is_gone(owner):
                    self._refuse(folder, owner)
                time.sleep(0.2)
            except NotImplementedError:
                logger.warning(f"{folder} is on a file system without locks: let one run at a time write it.")
                return
        self._locks.append(lock)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        about = {"host": socket.gethostname(), "process": os.getpid(), "started": now}
        write_text_atomically(json.dumps(about) + "\n", owner)

    def _refuse(self, folder: Path, owner: Path) -> None:
        about = _read(owner)
        who = (
            f"process {about['process']} on {about['host']}, since {about['started']}"
            if about.keys() >= {"process", "host", "started"}
            else "another process"
        )
        refuse(
            f"{folder}: another run writes its {self.files} files now ({who}). Wait until it has ended, end it, or "
            "take another folder for this run."
        )


def _read(owner: Path) -> dict[str, object]:
    try:
        content = json.loads(owner.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_gone(owner: Path) -> bool:
    """Whether the process that took the lock was one of this machine, and is no more."""
    about = _read(owner)
    process = about.get("process")
    return about.get("host") == socket.gethostname() and isinstance(process, int) and not psutil.pid_exists(process)
