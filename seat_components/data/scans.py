"""Which scans an inference run segments: one, an MSD folder's test list, or all that a folder with subfolders holds."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from seat_components.data.agreement import require_agreement
from seat_components.data.dicom_series import Choice
from seat_components.data.earlier_masks import VOLUMES, earlier_masks, is_mask_of
from seat_components.data.index import read_dataset
from seat_components.data.nnunet import joined
from seat_components.data.reading import FORMATS
from seat_components.data.search import Found, only_file, search_folder, shortened
from seat_components.files import is_there
from seat_components.refusals import refuse
from seat_components.scan_files import case_name, channel_files

logger = logging.getLogger(__name__)

_LIST = "dataset.json"
_LONGEST_NAME = 200  # bytes; a file that is being written has more in its name, and file systems end at 255


class ScanList(list[dict[str, str]]):
    """``{"image": path}`` per scan.

    Attributes:
        left_out: what the folder holds besides, and why no mask is written for it; a line each.
    """

    def __init__(self, scans: Sequence[Path] = (), left_out: Sequence[str] = ()) -> None:
        super().__init__({"image": str(scan)} for scan in scans)
        self.left_out = list(left_out)


def inference_datalist(
    dataset_dir: str | Path,
    output_dir: str | Path | None = None,
    channel_names: Mapping[str, str] | None = None,
    series: Choice = None,
) -> ScanList:
    """The scans of ``dataset_dir``, sorted by path unless a dataset.json lists them under "test".

    Otherwise they are the folder's files, and those of its subfolders, in NIfTI, NRRD or MetaImage format, and each
    folder that holds a DICOM series. Hidden files are passed over, so is ``output_dir`` where it lies in the folder.
    What else there is, is listed with the reason why it is left out.

    Args:
        dataset_dir: where the scans are, or the file of one.
        output_dir: where the masks will be written, if that is to be checked.
        channel_names: channel number → name as the bundle has them, to be compared with a dataset.json's. Where there
            are several, the files ``<case>_0000``, ``<case>_0001`` and so on of all of them are one scan.
        series: which DICOM series, where a folder holds several (see ``choose_series``).

    Raises:
        RefusalError: if the folder or a listed file is missing, if dataset.json contradicts the channels, if there is
            no scan or one after whose name no mask can be called, if a DICOM folder holds several series and ``series``
            does not name one, if two scans have one name, so that the second mask would overwrite the first, or if a
            mask would overwrite a scan, or a file that is not known as this scan's mask.
    """
    folder = Path(dataset_dir)
    if folder.is_file():
        found = only_file(folder)
    elif folder.is_dir():
        listed, training = _listed(folder, channel_names)
        found = Found(listed) if listed else search_folder(folder, output_dir, series).without(training)
    else:
        refuse(f"{folder} is not a folder, nor a file. dataset_dir is an MSD task folder, a folder of scans or a scan.")
    found.scans = joined(found.scans, len(channel_names or ()))
    if not found.scans:
        refuse(
            "\n  ".join(
                [
                    f'{folder} holds no scan: neither a dataset.json with a list "test", nor files ending in '
                    f"{', '.join(FORMATS)}, nor a folder with a DICOM series"
                    f"{'' if series is None else f' that {series!r} means'}.",
                    *shortened(found.lines()),
                ]
            )
        )
    _refuse_shared_names(found.scans, folder)
    _refuse_unwritable_names(found.scans, folder)
    if output_dir is not None:
        _refuse_overwriting(found.scans, folder, Path(output_dir))
    for line in shortened(found.lines()):
        logger.warning(f"Left out: {line}")
    return ScanList(found.scans, found.lines())


def scan_name(scan: str | Path, dataset_dir: str | Path) -> str:
    """The name that a scan's mask bears, without extension: where a dataset.json lists scans, the file's; else its path
    in ``dataset_dir``, such as ``patient/series``. Of a DICOM folder, it is all of the folder's name."""
    path, root = Path(scan), Path(dataset_dir)
    name = path.resolve().name if path.is_dir() else case_name(path)
    if (root / _LIST).is_file() or not path.is_relative_to(root):
        return name
    return str(path.relative_to(root).with_name(name)) if path != root else name


def _listed(folder: Path, channel_names: Mapping[str, str] | None) -> tuple[list[Path], set[Path]]:
    """The scans under "test" in a dataset.json, and the files under "training"; none where there is no such list."""
    if not (folder / _LIST).is_file():
        return [], set()
    index = read_dataset(folder)
    require_agreement(index, channel_names)
    scans = [Path(path) for path in index.test]
    if missing := [file for scan in scans for file in channel_files(scan) if not Path(file).exists()]:
        refuse("\n  ".join([f'{index.file} lists {len(missing)} file(s) under "test" that do not exist:', *missing]))
    training = [file for case in index.training.values() for path in case.values() for file in channel_files(path)]
    return scans, {Path(file).resolve() for file in training}


def _refuse_shared_names(scans: Sequence[Path], folder: Path) -> None:
    by_name: dict[str, Path] = {}
    for scan in scans:
        # Some file systems take no notice of letter case.
        name = scan_name(scan, folder).casefold()
        if name in by_name:
            refuse(
                f"{by_name[name]} and {scan} would both write {scan_name(scan, folder)}.nii.gz. Rename one, or put "
                "them into two folders."
            )
        by_name[name] = scan


def _refuse_unwritable_names(scans: Sequence[Path], folder: Path) -> None:
    """Before hours of predictions, of which the last could not be written."""
    for scan in scans:
        name = Path(scan_name(scan, folder)).name
        try:
            length = len(name.encode())
        except UnicodeEncodeError:
            refuse(f"{os.fsencode(scan)!r} has a name that is no UTF-8, so that no record can hold it: rename it.")
        if length > _LONGEST_NAME:
            refuse(f"{scan} has a name of {length} bytes, but its mask's can have {_LONGEST_NAME}: rename it.")


def _refuse_overwriting(scans: Sequence[Path], folder: Path, output_dir: Path) -> None:
    earlier = earlier_masks(output_dir)
    for scan in scans:
        mask = output_dir / f"{scan_name(scan, folder)}.nii.gz"
        if mask.parent.resolve() in (scan.resolve().parent, scan.resolve()):
            refuse(
                f"output_dir {output_dir} is the folder of {scan}: a mask has its scan's name and would overwrite it. "
                "Take another --output_dir."
            )
        entry = earlier.get(f"{scan_name(scan, folder)}.nii.gz")
        if is_there(mask) and not (entry and is_mask_of(entry, scan)):
            whose = f"is that of {entry['scan']}" if entry else f"is not known as its mask by a {VOLUMES} there"
            refuse(
                f"{mask}, where the mask of {scan} would go, is there already and {whose}: it would be overwritten. "
                "Take another --output_dir, or move it away."
            )
