"""The corruptions of MRI and CT and their severities, which are data: the same for every model."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from seat_components.files import read_json_object
from seat_components.records.attacked import CLEAN
from seat_components.records.corruptions import Severities
from seat_components.records.model import validated

__all__ = ["CLEAN", "corruptions_of"]

_FILE = Path(__file__).with_name("severities.json")


@cache
def _table() -> dict[str, dict[str, Severities]]:
    content = read_json_object(_FILE, "Install the package again.")
    return {
        kind: {name: validated(Severities, values, f"{_FILE}: {kind}.{name}") for name, values in rows.items()}
        for kind, rows in content.items()
    }


def corruptions_of(ct: bool) -> dict[str, Severities]:
    """The corruptions of a CT or of an MRI, by name: severity s is the value at place s − 1."""
    return {**_table()["ct" if ct else "mri"], **_table()["both"]}
