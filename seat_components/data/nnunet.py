"""A raw dataset folder of nnU-Net (version 2), read as if its dataset.json were of MSD's form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from seat_components.refusals import refuse
from seat_components.scan_files import channel_files, missing_files, path_of_channels

_NUMBER = re.compile(r"_\d{4}$")


def is_nnunets(content: dict[str, Any]) -> bool:
    """Whether a dataset.json is nnU-Net's, which names channels and the files' ending, and lists no case."""
    return {"channel_names", "file_ending"} <= content.keys() and "training" not in content


def in_msds_form(content: dict[str, Any], file: Path) -> dict[str, Any]:
    """nnU-Net's dataset.json in MSD's form, with the cases that its folders hold.

    Images keep nnU-Net's names, ``<case>_0000``; those of several channels, a file each, are called ``<case>``, as
    labels are.

    Args:
        content: what the file says.
        file: the file; ``labelsTr``, ``imagesTr`` and ``imagesTs`` lie beside it.

    Raises:
        RefusalError: for what has no meaning here: labels made of regions, labels to be ignored, channels that are not
            numbered from 0 on, a list of files under "dataset", an ending that is none.
    """
    channels, ending = content["channel_names"], content["file_ending"]
    if not isinstance(channels, dict) or {*channels} != {str(number) for number in range(len(channels) or 1)}:
        _refuse(
            file, f'"channel_names" is {channels!r}, but it names the channels 0, 1, …, as {{"0": "T1", "1": "T2"}}'
        )
    if not isinstance(ending, str) or not ending.startswith("."):
        _refuse(file, f'"file_ending" is {ending!r}, but it must be an ending such as ".nii.gz"')
    if "dataset" in content:
        _refuse(file, 'it lists files under "dataset": put images into imagesTr and labels into labelsTr')
    root = file.parent
    numbers = _numbers(len(channels))
    training = [
        {"image": path_of_channels(f"imagesTr/{case}", numbers, ending), "label": f"labelsTr/{case}{ending}"}
        for case in _names(root / "labelsTr", ending)
    ]
    test = list(_scans(list(_names(root / "imagesTs", ending)), numbers, ending))
    names = {"modality": {str(number): name for number, name in channels.items()}, "labels": _labels(content, file)}
    return {**content, **names, "training": training, "test": test}


def joined(scans: Sequence[Path], channels: int) -> list[Path]:
    """``scans`` with those of ``channels`` files each, ``<case>_0000`` and so on, as one path; files of one stay."""
    if channels < 2:
        return list(scans)
    result, taken = [], set[Path]()
    for scan in scans:
        case, first, ending = scan.name.partition("_0000.")
        whole = scan.with_name(path_of_channels(case, _numbers(channels), f".{ending}"))
        if first and not missing_files([whole]):
            taken.update(map(Path, channel_files(whole)))
            result.append(whole)
        else:
            result.append(scan)
    return [scan for scan in result if scan not in taken]


def _numbers(channels: int) -> list[str]:
    """What nnU-Net calls the channels in the names of files."""
    return [f"{number:04}" for number in range(channels)]


def _scans(names: Sequence[str], numbers: Sequence[str], ending: str) -> Iterator[str]:
    """The paths of the scans in imagesTs whose files, without their ending, are ``names``."""
    if len(numbers) == 1:
        yield from (f"imagesTs/{name}{ending}" for name in names)
        return
    yield from (f"imagesTs/{name}{ending}" for name in names if not _NUMBER.search(name))
    for case in sorted({_NUMBER.sub("", name) for name in names if _NUMBER.search(name)}):
        yield path_of_channels(f"imagesTs/{case}", numbers, ending)


def _labels(content: dict[str, Any], file: Path) -> dict[str, str]:
    """Number → name of nnU-Net's name → number."""
    labels = content.get("labels")
    if not isinstance(labels, dict):
        _refuse(file, f'"labels" is {labels!r}, but it gives each name its number, such as {{"background": 0}}')
    if "ignore" in labels:
        _refuse(
            file,
            f'the label "ignore" ({labels["ignore"]!r}) marks voxels that are not to count, but here every voxel '
            "does: give them a label, or leave such cases out",
        )
    if regions := [name for name, value in labels.items() if isinstance(value, list)] or content.get(
        "regions_class_order"
    ):
        _refuse(
            file,
            f"its labels are regions that hold several values ({regions!r}), but here a voxel has one label: give "
            "each value a name of its own",
        )
    wrong = [f"{name!r}: {value!r}" for name, value in labels.items() if type(value) is not int or value < 0]
    if wrong or len(set(labels.values())) < len(labels):
        _refuse(file, f'"labels" must give each name a whole number of its own, but it is {labels!r}')
    return {str(value): str(name) for name, value in labels.items()}


def _names(folder: Path, ending: str) -> Iterator[str]:
    """The names of the files in a folder, without their ending, sorted; none where there is no folder."""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return (entry.name.removesuffix(ending) for entry in entries if entry.name.endswith(ending))


def _refuse(file: Path, fault: str) -> NoReturn:
    refuse(f"{file} is of nnU-Net's form: {fault}.")
