"""Shipped weights are never lost: a copy before training may replace them, and the way back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import ignite.distributed as idist

from seat_components.bundles.results import results_of
from seat_components.evaluation.identity import sha256
from seat_components.files import copy_atomically
from seat_components.refusals import refuse
from seat_components.tasks import all_tasks

logger = logging.getLogger(__name__)

_MARK = "_shipped"


def keep_shipped(directory: str | Path) -> list[Path]:
    """Copy registered weights to ``…_shipped.pt`` beside them, where there is no such copy yet, and say so.

    Registered are the files whose SHA-256 is in ``bundles/results.json``. A copy is never overwritten.

    Args:
        directory: the folder that a training will write to.

    Returns:
        The copies that were made; none in any process but the first.
    """
    if idist.get_rank() != 0:
        return []
    copies = []
    for file, digest in _registered(Path(directory)):
        copy = _copy_of(file, digest)
        if not is_shipped_copy(file) and not copy.exists():
            copy_atomically(file, copy)
            logger.warning(
                f"{file} is shipped with a bundle and may be replaced: its copy is {copy}. "
                f"Back: python -m seat_components weights --restore {_bundle_of(copy)}"
            )
            copies.append(copy)
    return copies


def restore_shipped(bundle: Path) -> list[tuple[Path, Path | None]]:
    """Bring registered weights back from their copies.

    Args:
        bundle: the bundle's folder.

    Returns:
        For each file that was brought back: the file, and where what stood there before is now (None where nothing was
        in its place). Files that are as shipped are left alone.

    Raises:
        RefusalError: if there is neither a copy nor a registered file, so that nothing can be said.
    """
    models, names = bundle / "models", _names()
    found = list(_registered(models))
    if not found:
        refuse(
            f"{models} holds no weights that were shipped, and no copy of any ({_MARK}.pt). In a git checkout: "
            f"git checkout -- {models}"
        )
    present = {file.name for file, digest in found if file.name == names[digest]}
    restored = []
    for copy, digest in found:
        file = models / names[digest]
        if is_shipped_copy(copy) and file.name not in present:
            aside = _move_aside(file)
            copy_atomically(copy, file)
            present.add(file.name)
            restored.append((file, aside))
    return restored


def is_shipped_copy(file: Path) -> bool:
    """Whether ``file`` bears the name of a copy that ``keep_shipped`` makes."""
    return _MARK in file.stem


def _registered(models: Path) -> Iterator[tuple[Path, str]]:
    """The files in ``models`` that are, to the byte, weights of a bundle; and their SHA-256."""
    names = _names()
    for file in sorted(models.glob("model*.pt")):
        if (digest := sha256(file)) in names:
            yield file, digest


def _names() -> dict[str, str]:
    """SHA-256 → the file's name, of all registered weights."""
    return {result.sha256: result.file for task in all_tasks() for result in results_of(task)}


def _copy_of(file: Path, digest: str) -> Path:
    """Where the copy of a file is; by its hash, where a copy of other weights bears the usual name."""
    usual = file.with_name(f"{file.stem}{_MARK}.pt")
    other = usual.exists() and sha256(usual) != digest
    return file.with_name(f"{file.stem}{_MARK}_{digest[:8]}.pt") if other else usual


def _bundle_of(copy: Path) -> Path:
    return copy.parent.parent if copy.parent.name == "models" else copy.parent


def _move_aside(file: Path) -> Path | None:
    """Give ``file`` a name that is free."""
    if not file.exists():
        return None
    free = (file.with_name(f"{file.stem}_replaced_{number}.pt") for number in range(1, 10**6))
    aside = next(path for path in free if not path.exists())
    file.rename(aside)
    return aside
