"""Zipping a bundle in the model zoo's form, to the same bytes every time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from seat_components.refusals import refuse
from seat_components.tasks import all_tasks
from seat_components.training.files import write_atomically
from seat_components.weights import inventory, is_untrained

# The oldest date a zip can state; the real ones would make every archive another.
_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644
_FOLDERS = ("configs", "docs")
_FILES = ("LICENSE", "large_files.yml")


def zip_bundles(out: str | Path, bundles: str | Path = "bundles") -> list[Path]:
    """Write ``<name>_v<version>.zip`` to ``out`` for each of the ten bundles.

    Raises:
        RefusalError: if a bundle is missing, or registered weights are not what was registered.
    """
    wrong = [entry.path for entry in inventory(bundles) if entry.state in ("different", "unregistered")]
    if wrong:
        refuse(
            f"{', '.join(map(str, wrong))}: not the weights that were registered, so that nobody knows what they do. "
            "See python -m seat_components weights."
        )
    return [bundle_zip(Path(bundles) / task.bundle, out) for task in all_tasks()]


def bundle_zip(bundle: str | Path, out: str | Path) -> Path:
    """Write a bundle as ``<name>_v<version>.zip`` to the folder ``out``; all of it or nothing.

    It holds the licence, configs, docs, ``large_files.yml`` and trained weights (``models/model*.pt``), below the
    bundle's name, as MONAI's ``download`` wants it; no records of runs, no checkpoints, no untrained weights.

    Raises:
        RefusalError: if ``bundle`` is no bundle.
    """
    folder = Path(bundle)
    metadata = folder / "configs" / "metadata.json"
    if not metadata.is_file():
        refuse(f"{folder} is no bundle: it has no configs/metadata.json.")
    version = json.loads(metadata.read_text("utf-8"))["version"]
    target = Path(out) / f"{folder.name}_v{version}.zip"

    def write(stream: IO[bytes]) -> None:
        with ZipFile(stream, "w", ZIP_DEFLATED) as archive:
            for file in sorted(_files(folder)):
                entry = ZipInfo(f"{folder.name}/{file.relative_to(folder).as_posix()}", _DATE)
                entry.external_attr = _MODE << 16
                entry.compress_type = ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())

    write_atomically(target, write)
    return target


def _files(folder: Path) -> Iterable[Path]:
    yield from (folder / name for name in _FILES if (folder / name).is_file())
    for part in _FOLDERS:
        yield from (path for path in (folder / part).rglob("*") if path.is_file())
    yield from (path for path in (folder / "models").glob("model*.pt") if not is_untrained(path))
