"""Files of PyTorch: written whole; read undamaged, in bounded memory, and nothing but tensors and plain containers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch import Tensor

from seat_components.files import write_atomically

logger = logging.getLogger(__name__)

MOST_PICKLED = 2**23  # bytes that describe the tensors, without their values: 8 MiB, a thousand times a ROG's
_ZIP = b"PK\x03\x04"  # as torch tells its formats apart


class UnusableFileError(ValueError):
    """A file that must not be used as one of PyTorch's. The message names the file, the rule, and what to do."""


def save_atomically(content: Any, path: Path) -> None:
    """``torch.save`` that is never seen half written."""
    write_atomically(path, lambda stream: torch.save(content, stream))


def read_torch_file(path: str | Path, unchecked: bool = False) -> Any:
    """The content of a file that ``torch.save`` wrote, on the CPU.

    The file is a zip archive, whose entries' checksums (CRC-32) are compared first: torch does not look at them. Its
    entries must be stored as they are, as ``torch.save`` does, so that the file takes no more memory than its size.
    Nothing is unpickled but tensors, numbers, text and plain containers (``weights_only``), and no tensor may be larger
    than what is stored of it.

    Args:
        path: the file.
        unchecked: read a file in the format of PyTorch before 1.6 as well, which has no checksum.

    Raises:
        UnusableFileError: if the file is missing, damaged, no such file, or breaks one of these rules.
    """
    file = Path(path)
    try:
        # Opened once: what is checked is what is loaded.
        with file.open("rb") as stream:
            is_zip = stream.read(len(_ZIP)) == _ZIP
            if is_zip:
                _require_sound(stream, file)
            elif _is_old_format(stream):
                _meet_old_format(file, unchecked)
            stream.seek(0)
            content = torch.load(stream, map_location="cpu", weights_only=True)
        _require_stored(content, file)
    except UnusableFileError:
        raise
    except UnpicklingError as error:
        raise UnusableFileError(
            f"{file} is no plain checkpoint: it is another kind of file, is damaged, or holds objects besides tensors, "
            "which could run code and are not loaded. Save the network's state_dict() alone."
        ) from error
    # Bytes of any kind may follow: torch and its unpickler raise whatever their parts do.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnusableFileError(
            f"{file} cannot be read as a PyTorch checkpoint ({reason}). Save the network's state_dict() again."
        ) from error
    return content


def _require_sound(stream: IO[bytes], file: Path) -> None:
    try:
        with ZipFile(stream) as archive:
            entries = archive.infolist()
            stored = sum(entry.file_size for entry in entries)
            names = {entry.filename for entry in entries}
            if any(entry.compress_type != ZIP_STORED or entry.file_size != entry.compress_size for entry in entries):
                raise UnusableFileError(f"{file} has compressed entries, but torch.save stores them as they are.")
            if stored > file.stat().st_size or len(names) != len(entries):
                raise UnusableFileError(f"{file} is damaged: its parts overlap, or have the same name.")
            pickled = sum(entry.file_size for entry in entries if entry.filename.endswith(".pkl"))
            if pickled > MOST_PICKLED:
                raise UnusableFileError(
                    f"{file} describes its tensors in {pickled} bytes, but {MOST_PICKLED} is the most allowed."
                )
            damaged = archive.testzip()
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError, OSError) as error:
        raise UnusableFileError(
            f"{file} is damaged or cut off: it is no whole zip archive, as torch.save writes ({error}). Take another "
            "copy of it."
        ) from error
    if damaged is not None:
        raise UnusableFileError(
            f"{file} is damaged: the checksum of its part {damaged} does not hold. Take another copy of it."
        )


def _meet_old_format(file: Path, unchecked: bool) -> None:
    what = f"{file} is in the format of PyTorch before 1.6, which has no checksum: damage goes unseen."
    if not unchecked:
        raise UnusableFileError(
            f"{what} If you know that it is whole, convert it once: python -m seat_components weights --convert "
            f"{file} --bundle BUNDLE"
        )
    logger.warning(what)


def _is_old_format(stream: IO[bytes]) -> bool:
    """Whether the file begins as PyTorch before 1.6 wrote: with a pickled magic number."""
    stream.seek(0)
    magic = torch.serialization.MAGIC_NUMBER.to_bytes(10, "little")
    return magic in stream.read(32)


def _require_stored(content: Any, file: Path) -> None:
    """Refuse tensors that are larger than what is stored of them: they would grow as soon as they are copied."""
    left, seen = [content], set()
    while left:
        item = left.pop()
        if isinstance(item, Tensor):
            if item.layout == torch.strided and item.numel() * item.element_size() > item.untyped_storage().nbytes():
                raise UnusableFileError(
                    f"{file} holds a tensor of shape {tuple(item.shape)}, but fewer values than that are stored."
                )
        elif isinstance(item, Mapping | list | tuple | set | frozenset) and id(item) not in seen:
            seen.add(id(item))
            left.extend(item)
            if isinstance(item, Mapping):
                left.extend(item.values())
