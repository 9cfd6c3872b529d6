"""Writing files so that a reader, or a resumed run, only ever finds whole ones."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import psutil
import torch

from seat_components.refusals import refuse

_PART = ".part"


def write_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it to ``path``.

    A process that is killed at any moment leaves the file as it was, or the new one. The folder is made.

    Raises:
        RefusalError: if the disk is full, the folder cannot be written, or the like; the file is as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{_writer()}.", suffix=_PART)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files for their owner's eyes only; results are for whoever may read the folder.
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if (reason := failed_write(error)) is not None:
            refuse(f"{path} cannot be written: {reason}. What was written before is as it was.")
        raise


def failed_write(error: BaseException) -> str | None:
    """Why the operating system refused a write, in its words; None for an error of another kind.

    torch.save wraps the error that its stream raises, so the causes are looked at, too.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return f"{seen.strerror or seen}"
        seen = seen.__cause__ or seen.__context__
    return None


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that processes of this machine left in ``folder`` when they were killed."""
    for file in folder.glob(f".*{_PART}"):
        match = re.search(r"\.([^.]+)-(\d+)\.[^.]+$", file.name.removesuffix(_PART))
        if match is None or match[1] != _host() or _is_running(int(match[2])):
            continue
        with contextlib.suppress(OSError):
            file.unlink()


def _is_running(process: int) -> bool:
    return process != os.getpid() and psutil.pid_exists(process)


def _host() -> str:
    return re.sub(r"\W", "_", socket.gethostname())


def _writer() -> str:
    """Who writes, for ``remove_leftovers``: this machine's name and this process's number."""
    return f"{_host()}-{os.getpid()}"


def keep_as(path: Path, other: Path) -> None:
    """Let ``other`` be the file that ``path`` is now, without a moment in which either is missing."""
    temporary = other.with_name(f".{other.name}.{_writer()}.link{_PART}")
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(path)
    except OSError:  # a file system without links
        copy_atomically(path, other)
        return
    temporary.replace(other)


def save_atomically(content: Any, path: Path) -> None:
    """``torch.save`` that is never seen half written."""
    write_atomically(path, lambda stream: torch.save(content, stream))


def copy_atomically(source: Path, path: Path) -> None:
    """Copy a file; the copy is never seen half written."""
    write_atomically(path, lambda stream: _write(stream, source.read_bytes()))


def write_text_atomically(text: str, path: Path) -> None:
    """Write UTF-8 text that is never seen half written."""
    write_atomically(path, lambda stream: _write(stream, text.encode()))


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(content)
