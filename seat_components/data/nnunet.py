"""A raw dataset folder of nnU-Net (version 2), read as if its dataset.json were of MSD's form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from seat_components.refusals import refuse

_FIRST_CHANNEL = "_0000"


def is_nnunets(content: dict[str, Any]) -> bool:
    """Whether a dataset.json is nnU-Net's, which names channels and the files' ending, and lists no case."""
    return {"channel_names", "file_ending"} <= content.keys() and "training" not in content


def in_msds_form(content: dict[str, Any], file: Path) -> dict[str, Any]:
    """nnU-Net's dataset.json in MSD's form, with the cases that its folders hold; images keep nnU-Net's names.

    Args:
        content: what the file says.
        file: the file; ``labelsTr``, ``imagesTr`` and ``imagesTs`` lie beside it.

    Raises:
        RefusalError: for what has no meaning here: labels made of regions, labels to be ignored, images of several
            channels, which nnU-Net keeps in a file each, a list of files under "dataset", an ending that is none.
    """
    channels, ending = content["channel_names"], content["file_ending"]
    if not isinstance(channels, dict) or len(channels) != 1:
        _refuse(
            file,
            f'"channel_names" is {channels!r}. nnU-Net keeps each channel in a file of its own, which is read here for '
            "one channel only: join those of a case in one file (H, W, D, C), and list the cases as MSD does",
        )
    if not isinstance(ending, str) or not ending.startswith("."):
        _refuse(file, f'"file_ending" is {ending!r}, but it must be an ending such as ".nii.gz"')
    if "dataset" in content:
        _refuse(file, 'it lists files under "dataset": put images into imagesTr and labels into labelsTr')
    root = file.parent
    training = [
        {"image": f"imagesTr/{case}{_FIRST_CHANNEL}{ending}", "label": f"labelsTr/{case}{ending}"}
        for case in _names(root / "labelsTr", ending)
    ]
    test = [f"imagesTs/{name}{ending}" for name in _names(root / "imagesTs", ending)]
    names = {"modality": {str(number): name for number, name in channels.items()}, "labels": _labels(content, file)}
    return {**content, **names, "training": training, "test": test}


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
