"""The files of a scan, and the name that a case has of them.

A scan is a file or a DICOM folder. Where each channel lies in a file of its own, as nnU-Net keeps them, one path names
all of them, in the order of the channels, as a shell writes it: ``imagesTr/case_{0000,0001}.nii.gz``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from seat_components.files import is_file, is_there

_SEVERAL = re.compile(r"(?P<case>.*)_\{(?P<channels>[^{},/]+(?:,[^{},/]+)+)\}(?P<ending>[^{}/]*)", re.DOTALL)


def case_name(path: str | Path) -> str:
    """The file name without its extension(s): ``hippocampus_001`` for ``…/hippocampus_001.nii.gz``.

    Of several files it is what stands before the channels.
    """
    name = Path(path).name
    if several := _SEVERAL.fullmatch(name):
        name = several["case"] + several["ending"]
    compressed = Path(name).suffix.lower() == ".gz"
    return Path(Path(name).stem).stem if compressed else Path(name).stem


def path_of_channels(case: str, channels: Sequence[str], ending: str) -> str:
    """One path for the files ``case_<channel><ending>``; of a single channel, that file's own."""
    return f"{case}_{channels[0] if len(channels) == 1 else '{' + ','.join(channels) + '}'}{ending}"


def channel_files(path: str | Path) -> tuple[str, ...]:
    """The files that ``path`` names: one per channel where it is written for several, else it alone."""
    several = _SEVERAL.fullmatch(str(path))
    if several is None or is_there(path):
        return (str(path),)
    return tuple(f"{several['case']}_{channel}{several['ending']}" for channel in several["channels"].split(","))


def missing_files(paths: Iterable[str | Path]) -> list[str]:
    """Which of the files that ``paths`` name are not there."""
    return [file for path in paths for file in channel_files(path) if not is_file(file)]
