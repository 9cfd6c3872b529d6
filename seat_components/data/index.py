"""The content of a dataset folder, of MSD's form or nnU-Net's, as its dataset.json lists it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from seat_components.data.nnunet import in_msds_form, is_nnunets
from seat_components.files import is_file, read_json_object, resolved
from seat_components.refusals import refuse
from seat_components.scan_files import case_name, channel_files

ADVICE = "dataset_dir must be the folder of an MSD task, or nnU-Net's raw folder, with its dataset.json."
CaseFiles: TypeAlias = dict[str, str]


@dataclass(frozen=True)
class DatasetIndex:
    """What a dataset.json lists; the files themselves need not be there.

    Attributes:
        file: the dataset.json.
        training: labelled cases by name, each ``{"image": path, "label": path}`` with absolute paths
            (of several files where channels lie in a file each: see ``scan_files``).
        test: paths of the scans without label.
        modalities, labels: the names it gives to channels and label values, number → name; empty where it gives none.
    """

    file: Path
    training: dict[str, CaseFiles]
    test: tuple[str, ...]
    modalities: dict[str, str]
    labels: dict[str, str]


def read_dataset(dataset_dir: str | Path) -> DatasetIndex:
    """Read ``dataset_dir``/dataset.json. Entries whose file name begins with ``._`` are dropped (archive litter).

    Raises:
        RefusalError: if the file is missing, or in neither MSD's form nor nnU-Net's, if a path (after following links)
            leads outside the dataset, if a case is listed twice, or if nothing is listed at all.
    """
    root = resolved(dataset_dir)
    file = root / "dataset.json"
    content = dataset_content(file)
    training: dict[str, CaseFiles] = {}
    for entry in _entries(content, "training", file):
        if not (isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("image", "label"))):
            refuse(f'{file}: each "training" entry must be {{"image": path, "label": path}}, but one is {entry!r}.')
        case = {key: inside(entry[key], root, file) for key in ("image", "label")}
        if is_litter(case["image"]):
            continue
        name = case_name(case["image"])
        if name in training:
            refuse(f'{file}: case {name} stands twice under "training"; a case must be listed once.')
        training[name] = case
    test = []
    for entry in _entries(content, "test", file):
        path = entry.get("image") if isinstance(entry, dict) else entry
        if not isinstance(path, str):
            refuse(f'{file}: each "test" entry must be a path or {{"image": path}}, but one is {entry!r}.')
        if not is_litter(path):
            test.append(inside(path, root, file))
    if not training and not test:
        refuse(f'{file} lists no case, neither under "training" nor under "test".')
    return DatasetIndex(file, training, tuple(test), _names(content, "modality"), _names(content, "labels"))


def dataset_content(file: Path) -> dict[str, Any]:
    """What a dataset.json says, in MSD's form.

    Raises:
        RefusalError: if there is no such file, or it says what has no meaning here (see ``in_msds_form``).
    """
    content = read_json_object(file, ADVICE)
    return in_msds_form(content, file) if is_nnunets(content) else content


def is_litter(path: str | Path) -> bool:
    """Whether this is a hidden file, such as the ``._*`` companions that MSD archives carry."""
    return re.split(r"[/\\]", str(path))[-1].startswith(".")


def inside(entry: str, root: Path, source: Path) -> str:
    """The absolute path of ``entry`` below the (resolved) folder ``root``.

    Raises:
        RefusalError: if the path, after following links, lies outside ``root``, or is written with backslashes;
            ``source`` names who listed it.
    """
    path = root / entry
    if "\\" in entry and not is_file(path):
        forward = entry.replace("\\", "/")
        refuse(f"{source}: '{entry}' has backslashes, as on Windows. Lists have forward slashes: '{forward}'.")
    for file in channel_files(path):
        if not (target := resolved(file)).is_relative_to(root):
            refuse(
                f"{source}: '{entry}' leads to {target}, outside the dataset. Files must lie inside "
                f"{root}, also after following links: move or copy the data there."
            )
    return str(path)


def _names(content: dict[str, Any], section: str) -> dict[str, str]:
    """A section such as {"0": first, "1": second, …}; nothing of one that is missing or of another form."""
    names = content.get(section)
    return {str(number): str(name) for number, name in names.items()} if isinstance(names, dict) else {}


def _entries(content: dict[str, Any], section: str, file: Path) -> list[Any]:
    entries = content.get(section, [])
    if not isinstance(entries, list):
        refuse(f'{file}: "{section}" must be a list.')
    return entries
