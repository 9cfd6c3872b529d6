"""Searching a folder and its subfolders for scans, and listing what there is besides."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seat_components.data.dicom_series import Choice, choose_series, dicom_files, series_of
from seat_components.data.earlier_masks import VOLUMES
from seat_components.data.index import is_litter
from seat_components.data.itk_files import raw_of
from seat_components.data.nifti import PAIR, companion
from seat_components.data.reading import FORMATS
from seat_components.data.slabs import ScanError
from seat_components.refusals import refuse

_LITTER = ("__MACOSX",)


@dataclass
class Found:
    """What a folder holds.

    Attributes:
        scans: files and DICOM folders.
        left_out: of what is no scan, the path and the reason.
    """

    scans: list[Path]
    left_out: list[tuple[Path, str]] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What is left out, a line each."""
        return [f"{path}: {reason}" for path, reason in self.left_out]

    def without(self, training: Collection[Path]) -> Found:
        """The same without files, given by their resolved paths, that a dataset.json lists for training."""
        reason = 'dataset.json lists it under "training": to segment it, give its folder as dataset_dir'
        trained = [scan for scan in self.scans if scan.resolve() in training]
        scans = [scan for scan in self.scans if scan not in trained]
        return Found(scans, [*self.left_out, *((scan, reason) for scan in trained)])


def search_folder(root: Path, skipped: str | Path | None = None, series: Choice = None) -> Found:
    """The scans below ``root``, sorted by path, and what was left out.

    Args:
        root: the folder.
        skipped: a folder that is passed over without a word.
        series: which DICOM series of a folder is meant (see ``choose_series``).

    Raises:
        RefusalError: if a folder holds several DICOM series and ``series`` does not name one of them, or if a DICOM
            header cannot be read.
    """
    found = Found([])
    for folder, files in _walk(root, skipped, found):
        try:
            dicom = _take_series(folder, series, found)
        except ScanError as error:
            refuse(f"{folder} {error}.")
        for file in files:
            if file not in dicom:
                _take_file(file, found)
    found.scans.sort()
    return found


def only_file(file: Path) -> Found:
    """The one scan that ``file`` is.

    Raises:
        RefusalError: if it is none.
    """
    found = Found([])
    _take_file(file, found)
    if not found.scans:
        reason = found.left_out[0][1] if found.left_out else "describes a folder, or holds the voxels of another file"
        refuse(
            f"{file} is no scan: it {reason}. A single scan is a file ending in {', '.join(FORMATS)}; of a DICOM "
            "series, name the folder."
        )
    return found


def _walk(root: Path, skipped: str | Path | None, found: Found) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder with its files; links are followed, after all that is no link, but no folder is entered twice."""
    seen = {Path(skipped).resolve()} if skipped is not None and Path(skipped).resolve() != root.resolve() else set()
    waiting, linked = [root], list[Path]()
    while waiting or linked:
        folder = (waiting or linked).pop()
        if folder.resolve() in seen:
            continue
        seen.add(folder.resolve())
        if folder != root and (reason := _no_folder_of_scans(folder)):
            found.left_out.append((folder, reason))
            continue
        entries = sorted(entry for entry in folder.iterdir() if not is_litter(entry) and entry.name not in _LITTER)
        for entry in entries:
            if entry.is_dir():
                (linked if entry.is_symlink() else waiting).append(entry)
        yield folder, [entry for entry in entries if not entry.is_dir()]


def _no_folder_of_scans(folder: Path) -> str | None:
    if not os.access(folder, os.R_OK | os.X_OK):
        return "may not be read"
    if (folder / VOLUMES).is_file():
        return f"holds the masks of an inference ({VOLUMES})"
    if (folder / "dataset.json").is_file():
        return "is a dataset of its own (dataset.json): name it as dataset_dir"
    return None


def _take_series(folder: Path, wanted: Choice, found: Found) -> set[Path]:
    """Take the folder for a scan if it holds a series; gives its DICOM files."""
    files = dicom_files(folder)
    all_series, others = series_of(files)
    found.left_out += [(file, "is DICOM, but no image") for file in others]
    meant = choose_series(all_series, wanted)
    if meant is not None:
        found.scans.append(folder)
    for series in all_series:
        if series is not meant:
            found.left_out.append((folder, f"its series {series.line()} is not the one that --series means"))
    return set(files)


def _take_file(file: Path, found: Found) -> None:
    if (reason := _no_scan(file)) is None:
        found.scans.append(file)
    elif reason:
        found.left_out.append((file, reason))


def _no_scan(file: Path) -> str | None:
    """Why this is no scan: None if it is one, empty if it belongs to one."""
    name = file.name.lower()
    if not file.exists():
        return f"is a link to {file.readlink()}, which does not exist" if file.is_symlink() else "does not exist"
    if not file.is_file() or not os.access(file, os.R_OK):
        return "may not be read, or is no regular file"
    if name.endswith(PAIR) and companion(file) is None:
        return f"has no {file.stem}.img beside it, where its voxels would be"
    if name.endswith(".img"):
        header = any(file.with_suffix(end).is_file() for end in (PAIR, PAIR.upper()))
        return "" if header else f"has no {file.stem}{PAIR} beside it, which would say how to read it"
    if name.endswith(FORMATS):
        return None
    return "" if raw_of(file) or name in ("dataset.json", VOLUMES) else "is of no format that is read"


def shortened(lines: Sequence[str], most: int = 20) -> list[str]:
    """``lines``, or the first of them and how many more there are."""
    return [*lines[:most], *([f"… and {len(lines) - most} more"] if len(lines) > most else [])]
