"""Damage in compressed image files: their checksums stand at the end, which no image library reads."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Protocol

_BLOCK = 2**20
_MOST_UNPACKED = 2**35  # 32 GiB: no volume that can be trained on or segmented is larger
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
_HEADER = 2**16  # bytes; text headers of NRRD and MetaImage are far shorter

# What the standard library raises for compressed data that are damaged or cut off.
DAMAGE = (gzip.BadGzipFile, zlib.error, EOFError)


class Readable(Protocol):
    """What gives bytes, and none at its end."""

    def read(self, size: int = -1, /) -> bytes:
        """The next ``size`` bytes at most."""
        ...


def require_sound(path: str | Path) -> None:
    """Unpack what is compressed in a file to its end, a block at a time, so that its checksums are compared.

    It knows gzip (names ending in .gz or .mgz), NRRD with gzip encoding, and compressed MetaImage, their data in the
    file itself or beside it. Other files, which have no checksum, pass.

    Raises:
        ValueError: if the content is damaged, cut off, or unpacks to more than 32 GiB.
        OSError: if the file cannot be read.
    """
    file, name = Path(path), str(path).lower()
    if name.endswith((".gz", ".mgz")):
        _require_sound_gzip(file, 0)
    elif name.endswith((".nrrd", ".nhdr")):
        _require_sound_nrrd(file)
    elif name.endswith((".mha", ".mhd")):
        _require_sound_metaimage(file)


def read_to_end(stream: Readable, most: int) -> None:
    """Read what is left of an unpacking stream, which so compares its checksum.

    Raises:
        ValueError: if more than ``most`` bytes are left.
    """
    left = 0
    while block := stream.read(_BLOCK):
        left += len(block)
        if left > most:
            raise ValueError(f"it unpacks to over {most} bytes more than its header states")


def why_damaged(error: Exception) -> str:
    """The rule that an error among ``DAMAGE`` tells of, in words."""
    reason = str(error)
    if "Not a gzipped file" in reason:
        return f"cannot be read to the end: there is something else in it than gzip data ({reason})"
    if isinstance(error, EOFError):
        return f"cannot be read to the end: it is truncated ({reason})"
    return f"is damaged: its checksum, or the compressed data before it, does not hold ({reason})"


def _require_sound_gzip(file: Path, start: int) -> None:
    with file.open("rb") as packed:
        packed.seek(start)
        try:
            with gzip.GzipFile(fileobj=packed) as stream:
                read_to_end(stream, _MOST_UNPACKED)
        except DAMAGE as error:
            raise ValueError(f"{file} {why_damaged(error)}") from error


def _require_sound_zlib(file: Path, start: int) -> None:
    unpacker, unpacked = zlib.decompressobj(_ZLIB_OR_GZIP), 0
    with file.open("rb") as packed:
        packed.seek(start)
        try:
            while not unpacker.eof:
                # A block that is asked for may be left over from the one before.
                block = unpacker.unconsumed_tail or packed.read(_BLOCK)
                size = len(unpacker.decompress(block, _BLOCK))
                if not (block or size or unpacker.eof):
                    raise EOFError("the compressed data end before their end mark")
                unpacked += size
                if unpacked > _MOST_UNPACKED:
                    raise zlib.error(f"it unpacks to more than {_MOST_UNPACKED} bytes")
        except DAMAGE as error:
            raise ValueError(f"{file} {why_damaged(error)}") from error


def _require_sound_nrrd(file: Path) -> None:
    head = _head(file)
    # An empty line ends the header; a detached one (.nhdr) may end with the file.
    end = min((place + len(mark) for mark in (b"\n\n", b"\r\n\r\n") if (place := head.find(mark)) >= 0), default=-1)
    fields = _fields(head if end < 0 else head[:end], ":")
    if fields.get("encoding") not in ("gzip", "gz") or {"line skip", "byte skip"} & fields.keys():
        return
    beside = fields.get("data file") or fields.get("datafile")
    if beside is None:
        _require_sound_gzip(file, end)
    elif (other := file.parent / beside).is_file():
        _require_sound_gzip(other, 0)


def _require_sound_metaimage(file: Path) -> None:
    head = _head(file)
    key = head.find(b"ElementDataFile")
    end = head.find(b"\n", key) + 1
    fields = _fields(head[:end], "=")
    if key < 0 or fields.get("compresseddata", "").lower() != "true":
        return
    beside = fields["elementdatafile"]
    if beside.upper() == "LOCAL":
        _require_sound_zlib(file, end)
    elif (other := file.parent / beside).is_file():
        _require_sound_zlib(other, 0)


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_HEADER)


def _fields(head: bytes, mark: str) -> dict[str, str]:
    """The lines ``name<mark> value`` of a text header, by name in small letters."""
    lines = (line.partition(mark) for line in head.decode("latin-1").splitlines())
    return {name.strip().lower(): value.strip() for name, found, value in lines if found}
