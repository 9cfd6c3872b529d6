"""Which weights the bundles have: shipped, registered for download, or untrained; and whether the files are these."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seat_components.bundles.results import results_of
from seat_components.evaluation.identity import sha256
from seat_components.records.attacked import WORST
from seat_components.records.registered import RegisteredWeights
from seat_components.tasks import all_tasks
from seat_components.weights.shipped import is_shipped_copy
from seat_components.weights.untrained import is_untrained

_MSD_LICENCE = "CC-BY-SA 4.0"


@dataclass(frozen=True)
class Entry:
    """One file of weights.

    Attributes:
        bundle: the bundle's name.
        path: where the file belongs.
        sha256: what it must hash to; of an untrained file, what it does.
        state: ``ok``, ``absent``, ``different`` (the hash does not hold), ``untrained``, ``copy`` (of registered
            weights, made before a training) or ``unregistered``.
        method: how it was trained.
        source: where it comes from: the repository, or the address in large_files.yml.
        licence: of the weights.
        metrics: mean Dice, clean and under the worst attack.
    """

    bundle: str
    path: Path
    sha256: str
    state: str
    method: str = ""
    source: str = ""
    licence: str = ""
    metrics: str = ""

    def line(self) -> str:
        """The entry in words."""
        facts = [self.method, self.metrics, self.source, self.licence, f"sha256 {self.sha256}"]
        return f"{self.bundle}/models/{self.path.name}: {self.state}; " + "; ".join(fact for fact in facts if fact)


def inventory(bundles: str | Path = "bundles") -> list[Entry]:
    """The weights of the ten bundles in the folder ``bundles``, those that are registered first."""
    return [entry for task in all_tasks() for entry in _of_bundle(Path(bundles), task.bundle, results_of(task))]


def _of_bundle(bundles: Path, name: str, results: Iterable[RegisteredWeights]) -> list[Entry]:
    models = bundles / name / "models"
    registered = [_registered(name, models, result) for result in results]
    known = {entry.path for entry in registered}
    others = [path for path in sorted(models.glob("model*.pt")) if path not in known]
    return registered + [Entry(name, path, sha256(path), _state(path)) for path in others]


def _state(path: Path) -> str:
    if is_shipped_copy(path):
        return "copy"
    return "untrained" if is_untrained(path) else "unregistered"


def _registered(name: str, models: Path, result: RegisteredWeights) -> Entry:
    path = models / result.file
    state = "absent"
    if path.is_file():
        state = "ok" if sha256(path) == result.sha256 else "untrained" if is_untrained(path) else "different"
    worst = [row for row in result.attacked if row.attack == WORST]
    attacked = "".join(f", {row.mean_dice:.4f} under the worst attack at {row.eps_255:g}/255" for row in worst)
    return Entry(
        bundle=name,
        path=path,
        sha256=result.sha256,
        state=state,
        method=f"trained by {result.method}",
        source=result.url or "shipped in the bundle",
        licence=_MSD_LICENCE,
        metrics=f"mean Dice {result.clean.mean_dice:.4f}{attacked}",
    )


def verify(entries: Iterable[Entry]) -> list[str]:
    """What is wrong with ``entries``: files that are not what was registered, or shipped files that are absent.

    Weights that are registered for download need not be there.
    """
    faults = []
    for entry in entries:
        if entry.state == "different":
            faults.append(f"{entry.path} is not the registered file: its SHA-256 must be {entry.sha256}.")
        elif entry.state == "absent" and not entry.source.startswith(("http", "file")):
            faults.append(f"{entry.path} is absent, but the bundle ships it.")
    return faults
