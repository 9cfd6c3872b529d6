"""Where a bundle lies that is named by its folder, its name, or its task."""

from __future__ import annotations

import os
from pathlib import Path

from seat_components.files import is_file, is_folder
from seat_components.refusals import RefusalError, refuse
from seat_components.tasks import load_task

_VARIABLE = "SEAT_BUNDLES"
"""Set in the environment, it names a folder of bundles."""


def usual_places() -> list[Path]:
    """Folders in which bundles are looked for by name: ``bundles/`` here, then the one that SEAT_BUNDLES names."""
    own = os.environ.get(_VARIABLE, "")
    return [Path("bundles"), *([Path(own)] if own else [])]


def bundle_folder(bundle: str | Path | None, *places: str | Path) -> Path:
    """The folder of a bundle.

    Args:
        bundle: the folder itself, or the name of a bundle or task; None if none was named.
        places: folders in which bundles are looked for by name.

    Raises:
        RefusalError: if there is no such bundle; it lists those that there are.
    """
    candidates: list[Path] = []
    if bundle is not None:
        names = [name for name in (str(bundle), _bundle_of_task(str(bundle))) if name]
        candidates = [Path(bundle), *(Path(place) / name for place in places for name in names)]
    found = [folder for folder in candidates if _is_bundle(folder)]
    if not found:
        fault = "No bundle is named"
        if bundle is not None:
            fault = f"{bundle} is no bundle: there is no configs/inference.json in {', '.join(map(str, candidates))}"
        refuse("\n  ".join([f"{fault}. Give a bundle's folder, or the name of one of these:", *_listed(places)]))
    return found[0]


def _listed(places: tuple[str | Path, ...]) -> list[str]:
    """A line for each place: the names of the bundles in it."""
    return [f"{Path(place).absolute()}: {', '.join(_names(Path(place))) or 'none'}" for place in places]


def _names(place: Path) -> list[str]:
    entries = place.iterdir() if is_folder(place) and os.access(place, os.R_OK | os.X_OK) else ()
    return sorted(entry.name for entry in entries if _is_bundle(entry))


def _is_bundle(folder: Path) -> bool:
    return is_file(folder / "configs" / "inference.json")


def _bundle_of_task(name: str) -> str:
    try:
        return load_task(name).bundle
    except RefusalError:
        return ""
