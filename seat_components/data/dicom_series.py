"""Which DICOM series a folder holds, and which one of them is meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom

from seat_components.data.index import is_litter
from seat_components.data.slabs import ScanError

Choice = str | Sequence[str] | None
_MARK = b"DICM"  # stands at byte 128 of every DICOM file (PS3.10, section 7.1)
_TAGS = ["SeriesInstanceUID", "SeriesDescription", "SeriesNumber", "Modality", "Rows"]


@dataclass(frozen=True)
class Series:
    """The images of one series.

    Attributes:
        uid: its SeriesInstanceUID.
        description: its SeriesDescription; may be empty.
        modality: such as CT.
        files: in the order of their names.
    """

    uid: str
    description: str
    modality: str
    files: tuple[Path, ...]

    def line(self) -> str:
        """The series in words."""
        return f"{self.uid}: {self.modality} '{self.description}', {len(self.files)} file(s)"


def is_dicom(file: Path) -> bool:
    """Whether ``file`` begins as a DICOM file does."""
    try:
        with file.open("rb") as stream:
            return stream.read(132)[128:] == _MARK
    except OSError:
        return False


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files in ``folder`` itself, sorted by name."""
    return sorted(file for file in folder.iterdir() if file.is_file() and not is_litter(file) and is_dicom(file))


def series_of(files: Iterable[Path]) -> tuple[list[Series], list[Path]]:
    """The series among DICOM files, and the files that are no images, such as reports and contours.

    Raises:
        ScanError: for a file whose header cannot be read.
    """
    found: dict[str, list[Path]] = {}
    facts: dict[str, tuple[str, str]] = {}
    others = []
    for file in files:
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)  # type: ignore[arg-type, unused-ignore]
            uid, rows = str(header.get("SeriesInstanceUID", "")), header.get("Rows")
            kind = pydicom.uid.UID(header.file_meta.get("MediaStorageSOPClassUID", "")).name
        except Exception as error:  # of damaged files pydicom raises all kinds
            raise ScanError(f"holds {file.name}, whose DICOM header cannot be read ({error})") from error
        if rows:
            found.setdefault(uid, []).append(file)
            facts[uid] = (str(header.get("SeriesDescription", "")), str(header.get("Modality", "")))
        elif (not uid or "Image Storage" in kind) and kind != "Media Storage Directory Storage":
            raise ScanError(f"holds {file.name}, which should be an image and has none: it is damaged")
        else:
            others.append(file)
    return [Series(uid, *facts[uid], files=tuple(of_it)) for uid, of_it in found.items()], others


def choose_series(found: Sequence[Series], wanted: Choice = None) -> Series | None:
    """The one series that is meant; None if ``wanted`` is given and none of them is.

    Args:
        found: the series of one folder.
        wanted: a SeriesInstanceUID, several, or a text that the series' description holds; letter case does not count.

    Raises:
        ScanError: if several are meant; the message lists them.
    """
    meant = [series for series in found if wanted is None or _is_meant(series, wanted)]
    if len(meant) > 1:
        lines = "\n    ".join(series.line() for series in meant)
        raise ScanError(
            f"holds {len(meant)} DICOM series{' that --series means' if wanted is not None else ''}, but a scan is one "
            f"of them. Choose with --series UID, --series \"['UID', …]\", or --series TEXT for a text that only the "
            f"wanted one's description holds:\n    {lines}"
        )
    return meant[0] if meant else None


def _is_meant(series: Series, wanted: str | Sequence[str]) -> bool:
    if isinstance(wanted, list | tuple):
        return series.uid in wanted
    text = str(wanted)  # a command line reads some descriptions as numbers
    return series.uid == text or text.casefold() in series.description.casefold()
