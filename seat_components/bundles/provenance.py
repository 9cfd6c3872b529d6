"""What a bundle's card says about where its data comes from: the published ten, or a dataset of one's own."""

from __future__ import annotations

from typing import Any

from seat_components.tasks import Task
from seat_components.tasks.table import OwnData

MSD_LICENCE = """\
{name} is part of the Medical Segmentation Decathlon (MSD), which is licensed under
Creative Commons Attribution-ShareAlike 4.0 International (CC-BY-SA 4.0):
https://creativecommons.org/licenses/by-sa/4.0/

Source: http://medicaldecathlon.com
Reference: Antonelli et al., "The Medical Segmentation Decathlon",
Nature Communications 13, 4128 (2022), https://doi.org/10.1038/s41467-022-30695-9
"""
MSD_REFERENCE = (
    "Antonelli et al.: The Medical Segmentation Decathlon. Nature Communications 13, 4128 (2022). "
    "https://doi.org/10.1038/s41467-022-30695-9"
)
NO_LICENCE = """\
{title} states no licence in its dataset.json. Find out what its owner allows before you pass
on the data, or weights trained on it.
"""


def provenance(task: Task) -> dict[str, Any]:
    """The template's values that speak of the dataset."""
    return _published(task) if task.own is None else _own(task, task.own)


def _published(task: Task) -> dict[str, Any]:
    training, validation = fold_counts(task)
    return {
        "folds": None,
        "dataset_text": f"{task.name} of the Medical Segmentation Decathlon",
    }
