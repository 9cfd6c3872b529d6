"""Labelled cases for any network: of a dataset's folder, or of a folder of scans and one of labels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from seat_components.data import fold_datalist, read_dataset
from seat_components.data.index import CaseFiles
from seat_components.data.scans import scan_name
from seat_components.data.search import Found, only_file, search_folder, shortened
from seat_components.evaluation.identity import name_of
from seat_components.files import is_file, is_folder, resolved
from seat_components.refusals import refuse
from seat_components.scan_files import missing_files
from seat_components.tasks import all_tasks, fold_cases

logger = logging.getLogger(__name__)
_CHANNEL = "_0000"
"""Behind a scan's name, and not behind its label's, in nnU-Net's folders."""


def cases_of_dataset(folder: Path) -> tuple[list[CaseFiles], str]:
    """The labelled cases of an MSD folder, or nnU-Net's, and which they are in words.

    These are the validation cases of a published fold where the folder holds some, so that a network is not asked about
    what it has learnt from; else all that are listed.

    Raises:
        RefusalError: if there is no dataset, it lists no labelled case, or a listed file is missing.
    """
    index = read_dataset(folder)
    for task in all_tasks():
        if any(name in index.training for name in fold_cases(task)[1]):
            cases = fold_datalist(folder, task, 0, "validation")
            return cases, f"{len(cases)} validation case(s) of {task.name}'s fold 0 in {folder}"
    if not index.training:
        refuse(f'{index.file} lists no labelled case under "training".')
    cases = list(index.training.values())
    if missing := missing_files(path for case in cases for path in case.values()):
        refuse("\n  ".join([f"{index.file} lists {len(missing)} file(s) that do not exist:", *shortened(missing)]))
    return cases, f"all {len(cases)} labelled case(s) of {folder}"


def paired_cases(images: Path, labels: Path) -> tuple[list[CaseFiles], str]:
    """Each scan of a folder with the label of its name in another, and which they are in words.

    A name is the path in its folder without the file's ending; a label may lack nnU-Net's ``_0000``. Two files are a
    pair whatever they are called.

    Raises:
        RefusalError: if a folder is missing or holds no scan, or a scan has no label, or two have one name.
    """
    for option, place in (("--images", images), ("--labels", labels)):
        if not is_folder(place) and not is_file(place):
            refuse(f"{option} {place} is neither a folder nor a file.")
    if resolved(images) == resolved(labels):
        refuse(f"--images and --labels are both {images}: scans and labels lie in two folders, under the same names.")
    if is_file(images) and is_file(labels):
        found, by_name = only_file(images), {scan_name(images, images): only_file(labels).scans[0]}
    else:
        found = _search(images, skipped=labels)
        by_name = _named(_search(labels, skipped=images).scans, labels)
    wanted = {scan: scan_name(scan, images) for scan in found.scans}
    pairs = {scan: by_name.get(name) or by_name.get(name.removesuffix(_CHANNEL)) for scan, name in wanted.items()}
    if without := [str(scan) for scan, label in pairs.items() if label is None]:
        head = f"{len(without)} of {len(pairs)} scan(s) have no label of the same name in {labels}:"
        refuse("\n  ".join([head, *shortened(without)]))
    cases = [{"image": str(scan), "label": str(label)} for scan, label in pairs.items()]
    _refuse_shared_names(cases)
    return cases, f"{len(cases)} scan(s) of {images} with labels of {labels}"


def _named(files: Sequence[Path], folder: Path) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for file in files:
        name = scan_name(file, folder)
        if name in named:
            refuse(f"{named[name]} and {file} would both be the label of {name}: take one away.")
        named[name] = file
    return named


def _search(place: Path, skipped: Path) -> Found:
    if is_file(place):
        return only_file(place)
    found = search_folder(place, skipped)
    if not found.scans:
        refuse("\n  ".join([f"{place} holds no file that is read as a scan.", *shortened(found.lines())]))
    for line in shortened(found.lines()):
        logger.warning(f"Left out: {line}")
    return found


def _refuse_shared_names(cases: Sequence[CaseFiles]) -> None:
    if twice := [name for name, count in Counter(map(name_of, cases)).items() if count > 1]:
        refuse(f"Two scans are called {twice[0]}, but results are kept by name: rename one of them.")
