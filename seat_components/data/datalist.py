"""Which cases a run uses: the labelled cases of a fold."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from seat_components.data.agreement import require_agreement
from seat_components.data.index import CaseFiles, read_dataset
from seat_components.refusals import refuse
from seat_components.scan_files import missing_files
from seat_components.tasks import Task, fold_cases, load_task
from seat_components.tasks.folds import Fold, read_fold

logger = logging.getLogger(__name__)


def fold_datalist(
    dataset_dir: str | Path,
    task: Task | str,
    fold: int = 0,
    section: Literal["training", "validation"] = "training",
    folds: str | Path | None = None,
    channel_names: Mapping[str, str] | None = None,
    label_names: Mapping[str, str] | None = None,
) -> list[CaseFiles]:
    """The cases of one section of a fold, in the order of its list.

    A case of the section that dataset.json does not list is left out; how many were is said in one warning.
    The other section's files need not exist.

    Args:
        dataset_dir: an MSD task folder.
        task: the task, or its dataset or bundle name; any name where ``folds`` is given.
        fold: the fold's number; of the ten tasks, only fold 0 is published.
        section: ``training`` or ``validation``.
        folds: a file that lists folds (see ``read_fold``), in place of the published one.
        channel_names, label_names: number → name as the bundle has them, if dataset.json is to be compared.

    Returns:
        ``{"image": path, "label": path}`` per case, absolute paths of files that exist.

    Raises:
        RefusalError: for an unknown task, fold or section, for a dataset.json that cannot be used or contradicts the
            given names, if no case of the section is left, or if a listed case's image or label file is missing
            (all are named).
    """
    if section not in ("training", "validation"):
        refuse(f"'{section}' is not a section of a fold: use 'training' or 'validation'.")
    which, source = _fold(task, fold, folds)
    names = which[0 if section == "training" else 1]
    index = read_dataset(dataset_dir)
    require_agreement(index, channel_names, label_names)
    cases = [index.training[name] for name in names if name in index.training]
    if not cases:
        refuse(
            f"{index.file} lists none of the {len(names)} {section} cases of {source}'s fold {fold} "
            f"(such as {names[0]}). For data of your own, write a file of your folds and add --folds FILE "
            "(docs/fine_tuning.md), or a bundle of your own with new-bundle (docs/own_data.md)."
        )
    if absent := len(names) - len(cases):
        logger.warning(
            f"{absent} of the {len(names)} {section} cases of {source}'s fold {fold} are not listed in "
            f"{index.file} and are left out."
        )
    _require_files([path for case in cases for path in case.values()], index.file)
    return cases


def _fold(task: Task | str, fold: int, folds: str | Path | None) -> tuple[Fold, str]:
    """The fold, and the name of whose it is."""
    if folds is not None:
        return read_fold(folds, fold), str(folds)
    task = load_task(task) if isinstance(task, str) else task
    return fold_cases(task, fold), task.name


def _require_files(paths: list[str], source: Path) -> None:
    if missing := missing_files(paths):
        rule = f"{source} lists {len(missing)} file(s) that do not exist; restore them or unlist the cases:"
        refuse("\n  ".join([rule, *missing]))
