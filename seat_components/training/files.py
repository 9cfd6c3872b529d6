"""Writing files so that a reader, or a resumed run, only ever finds whole ones."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch


def write_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it to ``path``.

    A process that is killed at any moment leaves the file as it was, or the new one. The folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files for their owner's eyes only; results are for whoever may read the folder.
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
