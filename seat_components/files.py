"""Files: read by one strict rule, written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn

import psutil

from seat_components.refusals import RefusalError, refuse

GIB = 2**30
"""Bytes of a GiB."""

_DEEPEST = 100
"""Objects and lists within one another, beyond which no file of ours or of a dataset goes."""
_LARGEST_WHOLE = 2**63
_PART = ".part"


def is_there(path: str | Path) -> bool:
    """Whether anything bears this name: also a link that leads nowhere, or in a circle."""
    try:
        return os.path.lexists(path)
    except ValueError:
        return False


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: if it cannot be read.
    """
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_file(path: str | Path) -> bool:
    """Whether this is a file that can be asked for; False also for a name that no file can have."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: str | Path) -> bool:
    """Whether this is a folder that can be asked for; False also for a name that no folder can have."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def resolved(path: str | Path) -> Path:
    """The absolute path, links followed; it need not be there.

    Raises:
        RefusalError: for links in a circle, or a name that no file can have.
    """
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        refuse(f"{str(path)!r} leads nowhere ({error}): a link in a circle, or a name that no file can have.")


def read_text(file: str | Path, advice: str = "") -> str:
    """The content of a UTF-8 file, without a byte-order mark.

    Args:
        file: its path.
        advice: what to do, said at the end of a refusal.

    Raises:
        RefusalError: naming the file and why it cannot be read.
    """
    if not is_there(file):
        _refuse(file, "does not exist", advice)
    if not is_file(file):
        _refuse(file, "is no file, but a folder, or a link that leads nowhere", advice)
    try:
        return Path(file).read_bytes().decode("utf-8-sig")
    except OSError as error:
        _refuse(file, f"cannot be read ({error.strerror})", advice)
    except UnicodeDecodeError as error:
        _refuse(file, f"is not text in UTF-8 (byte {error.start})", advice)


def _read_json(file: str | Path, advice: str = "") -> Any:
    """The content of a JSON file, strictly.

    Beside what JSON forbids, refused are: NaN and Infinity, which are no JSON, numbers beyond 64 bits and beyond
    floating point, a name that stands twice in one object, values nested more than ``_DEEPEST`` deep, and texts with a
    zero byte or half of a character, which can stand in no file name.

    Raises:
        RefusalError: naming the file and the rule.
    """
    text = read_text(file, advice)
    try:
        content = json.loads(
            text, parse_constant=_no_number, parse_int=_whole, parse_float=_real, object_pairs_hook=_object
        )
        _check(content)
    except RecursionError:
        _refuse(file, f"is nested more than {_DEEPEST} deep", advice)
    except RefusalError as error:
        _refuse(file, str(error), advice)
    except ValueError as error:
        _refuse(file, f"is not valid JSON: {error}", advice)
    return content


def read_json_object(file: str | Path, advice: str = "") -> dict[str, Any]:
    """The content of a JSON file that holds one object; see ``_read_json``.

    Raises:
        RefusalError: naming the file and the rule.
    """
    content = _read_json(file, advice)
    if not isinstance(content, dict):
        _refuse(file, "must hold a JSON object", advice)
    return content


def _refuse(file: str | Path, fault: str, advice: str) -> NoReturn:
    refuse(f"{file} {fault}.{' ' if advice else ''}{advice}")


def _no_number(word: str) -> NoReturn:
    raise RefusalError(f"holds {word}, which is no JSON")


def _whole(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) >= _LARGEST_WHOLE:
        raise RefusalError(f"holds the number {digits[:20]}…, which is beyond 64 bits")
    return int(digits)


def _real(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise RefusalError(f"holds the number {digits[:20]}, which is beyond floating point")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RefusalError(f"names {twice!r} twice in one object, so that one of them would be lost")
    return content


def _check(content: Any) -> None:
    """Depth and texts of all values, level by level, so that no depth is too much for the check itself."""
    level = [content]
    for _ in range(_DEEPEST + 1):
        texts = [value for value in level if isinstance(value, str)]
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                texts += value
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        for text in texts:
            if "\0" in text or not _is_whole_text(text):
                raise RefusalError(f"holds the text {text[:40]!r}, with a zero byte or half of a character")
        if not inner:
            return
        level = inner
    raise RecursionError


def _is_whole_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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


def copy_atomically(source: Path, path: Path) -> None:
    """Copy a file; the copy is never seen half written."""
    write_atomically(path, lambda stream: _write(stream, source.read_bytes()))


def write_text_atomically(text: str, path: Path) -> None:
    """Write UTF-8 text that is never seen half written."""
    write_atomically(path, lambda stream: _write(stream, text.encode()))


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(content)
