"""What a result is a result of: the weights' hash, the case's files, and the versions it was computed with."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import monai
import numpy
import torch

import seat_components
from seat_components.data.index import ADVICE
from seat_components.files import is_there, read_json_object, sha256_of
from seat_components.records.evaluated import Evaluated
from seat_components.refusals import refuse
from seat_components.scan_files import case_name, channel_files

ENDS = 1 << 16
"""Bytes of a compressed file's beginning, and of its end, that count in a fingerprint: 64 KiB."""


def sha256(file: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        RefusalError: if there is no such file.
    """
    path = Path(file)
    if not path.is_file():
        refuse(
            f"There are no weights at {path}; not every bundle ships any. Train first: configs/train.json writes "
            "models/model.pt. Or name a file with --weights FILE."
        )
    return sha256_of(path)


def versions() -> dict[str, str]:
    """Versions that may matter to a number."""
    return {
        "seat_components": seat_components.__version__,
        "monai": monai.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }


def data_description(dataset_dir: str | Path | None) -> str:
    """What a dataset's dataset.json says about the data; empty where there is none, or it says nothing.

    Raises:
        RefusalError: if the file is not valid JSON, or not an object.
    """
    file = None if dataset_dir is None else Path(dataset_dir) / "dataset.json"
    if file is None or not is_there(file):
        return ""
    content = read_json_object(file, ADVICE)
    return " ".join(str(content.get(name, "")) for name in ("name", "description")).strip()


def evaluated(
    weights: str | Path,
    bundle: str,
    dataset_dir: str | Path | None,
    val_patch_size: Any,
    rule: str,
    setup_sha256: str = "",
) -> Evaluated:
    """What a record of an evaluation is one of, as the records of all evaluations say it.

    Raises:
        RefusalError: for missing weights, or an invalid dataset.json.
    """
    return Evaluated(
        bundle=bundle,
        weights_sha256=sha256(weights),
        data=data_description(dataset_dir),
        val_patch_size=val_patch_size,
        setup_sha256=setup_sha256,
        rule=rule,
        versions=versions(),
    )


def name_of(case: Mapping[str, Any]) -> str:
    """The name of a datalist's case, after its image; after the first where the image is a list of files."""
    image = case["image"]
    return case_name(image if isinstance(image, str | Path) else image[0])


def fingerprints(cases: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The fingerprint of each case of a datalist, by name."""
    return {name_of(case): fingerprint(case) for case in cases}


def fingerprint(case: Mapping[str, Any]) -> str:
    """A hash by which to see that a case's image or label is not the one that it was, wherever they lie.

    Of a ``.gz`` file it takes the size, the first and the last 64 KiB: the last bytes are a checksum of the whole
    content (RFC 1952, section 2.3), so that no change escapes it. Any other file counts with all of its bytes, a
    folder, as of DICOM, with the files in it, and a missing or unreadable file as such.

    Args:
        case: ``image`` and, where there is one, ``label``: a path, or a list of paths.
    """
    digest = hashlib.sha256()
    for key in ("image", "label"):
        for path in _paths(case, key):
            for name, file in _files(path):
                digest.update(f"{key}/{name}:{_content(file)};".encode())
    return digest.hexdigest()


def _paths(case: Mapping[str, Any], key: str) -> list[Path]:
    value = case.get(key, ())
    paths = [value] if isinstance(value, str | Path) else value
    return [Path(file) for path in paths for file in channel_files(path)]


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """The file, or those of a folder by their place in it."""
    if not path.is_dir():
        yield "", path
        return
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file


def _content(file: Path) -> str:
    try:
        if file.suffix.lower() != ".gz":
            return sha256_of(file)
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(ENDS)
            stream.seek(max(0, size - ENDS))
            return hashlib.sha256(size.to_bytes(8, "big") + start + stream.read(ENDS)).hexdigest()
    except OSError:
        return ""
