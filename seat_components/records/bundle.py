"""What a bundle's own configs say about it, as far as others than MONAI ask."""

from __future__ import annotations

from pathlib import Path

from seat_components.records.model import Name, Record, read_record


class _Cases(Record):
    task: Name


class _Training(Record):
    cases: _Cases


def task_of(bundle: Path) -> str:
    """The dataset's name in the train.json of the bundle's folder.

    Raises:
        RefusalError: if that file is not one.
    """
    return read_record(_Training, bundle / "configs" / "train.json", "Render the bundle again.").cases.task
