"""Zipping a bundle in the model zoo's form, to the same bytes every time, with its SHA-256 beside it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from seat_components.evaluation.identity import sha256
from seat_components.files import write_atomically, write_text_atomically
from seat_components.refusals import refuse
from seat_components.tasks import all_tasks
from seat_components.weights.inventory import inventory
from seat_components.weights.shipped import is_shipped_copy
from seat_components.weights.untrained import is_untrained

# The oldest date a zip can state; the real ones would make every archive another.
_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644
_FOLDERS = ("configs", "docs")
_FILES = ("LICENSE", "large_files.yml")
# Both become parts of the archive's name, which must stay one name in the folder that was asked for.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION = re.compile(r"[A-Za-z0-9]+([.+_-][A-Za-z0-9]+){0,9}")


def zip_bundles(out: str | Path, bundles: str | Path = "bundles") -> list[Path]:
    """Write ``<name>_v<version>.zip`` to ``out`` for each of the ten bundles (see ``bundle_zip``).

    Raises:
        RefusalError: if a bundle is missing, or registered weights are not what was registered.
    """
    return [bundle_zip(folder, out) for folder in given_away(bundles)]


def given_away(bundles: str | Path) -> list[Path]:
    """The ten bundles' folders, whose weights are those that were registered.

    Raises:
        RefusalError: if registered weights are not what was registered.
    """
    wrong = [entry.path for entry in inventory(bundles) if entry.state in ("different", "unregistered")]
    if wrong:
        refuse(
            f"{', '.join(map(str, wrong))}: not the weights that were registered, so that nobody knows what they do. "
            "See python -m seat_components weights."
        )
    return [Path(bundles) / task.bundle for task in all_tasks()]


def bundle_zip(bundle: str | Path, out: str | Path) -> Path:
    """Write a bundle as ``<name>_v<version>.zip`` to the folder ``out``; all of it or nothing.

    It holds the licence, configs, docs, ``large_files.yml`` and trained weights (``models/model*.pt``), below the
    bundle's name, as MONAI's ``download`` wants it; no records of runs, no checkpoints, no untrained weights. A link
    is followed to a file of the bundle itself, and nowhere else. ``<zip>.sha256`` beside it is for ``sha256sum -c``.

    Raises:
        RefusalError: if ``bundle`` is no bundle, its name or version could not stand in a file's name, or something
            in it is neither a file nor a folder of its own.
    """
    folder, version, files = contents(bundle)
    target = Path(out) / f"{folder.name}_v{version}.zip"

    def write(stream: IO[bytes]) -> None:
        with ZipFile(stream, "w", ZIP_DEFLATED) as archive:
            for name, file in files.items():
                entry = ZipInfo(f"{folder.name}/{name}", _DATE)
                entry.external_attr = _MODE << 16
                entry.compress_type = ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())

    write_atomically(target, write)
    digest = sha256(target)
    write_text_atomically(f"{digest}  {target.name}\n", target.with_name(f"{target.name}.sha256"))
    return target


def contents(bundle: str | Path) -> tuple[Path, str, dict[str, Path]]:
    """The folder of a bundle, its version, and what is given away of it: place in the bundle → file.

    Raises:
        RefusalError: as ``bundle_zip`` does.
    """
    folder = Path(os.path.abspath(bundle))  # noqa: PTH100 - resolve() would give a linked folder another name
    version = _version(folder)
    if not _NAME.fullmatch(folder.name):
        refuse(f"{folder} cannot be given away: a bundle's name has letters, digits and ._- only, at most 100.")
    return folder, version, {file.relative_to(folder).as_posix(): file for file in sorted(_files(folder))}


def _version(folder: Path) -> str:
    metadata = folder / "configs" / "metadata.json"
    if not metadata.is_file():
        refuse(f"{folder} is no bundle: it has no configs/metadata.json.")
    try:
        content = json.loads(metadata.read_text("utf-8"))
        version = content["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        refuse(f"{metadata} must be a JSON object with a version, such as 1.0.0.")
    if not (isinstance(version, str) and len(version) <= 100 and _VERSION.fullmatch(version)):
        refuse(f"{metadata}: the version must be letters and digits joined by one of .+_- each, such as 1.0.0.")
    return version


def _files(folder: Path) -> Iterable[Path]:
    # Links are listed even where they lead nowhere, so that they are refused and not left out.
    listed = [folder / name for name in _FILES if os.path.lexists(folder / name)]
    for part in _FOLDERS:
        listed.extend((folder / part).rglob("*"))
    listed.extend((folder / "models").glob("model*.pt"))
    for path in listed:
        if path.is_dir() and not path.is_symlink():
            continue
        if not (path.is_file() and _lies_in(path, folder)):
            refuse(f"{path} is no file of the bundle. What a link leads to must be a file in {folder}; copy it there.")
        if not (is_untrained(path) or is_shipped_copy(path)):
            yield path


def _lies_in(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(folder)) in Path(os.path.realpath(path)).parents
