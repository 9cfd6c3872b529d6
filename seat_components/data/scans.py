"""Which scans an inference run segments: an MSD folder's test list, or any folder of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import itk

from seat_components.data.agreement import require_agreement
from seat_components.data.index import case_name, is_litter, read_dataset
from seat_components.refusals import refuse

FORMATS = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
_DICOM_MARK = b"DICM"  # stands at byte 128 of every DICOM file (PS3.10, section 7.1)


def inference_datalist(
    dataset_dir: str | Path,
    output_dir: str | Path | None = None,
    channel_names: Mapping[str, str] | None = None,
) -> list[dict[str, str]]:
    """The scans of ``dataset_dir``, sorted by name unless a dataset.json lists them under "test".

    Otherwise they are the files of the folder (not of its subfolders) in NIfTI, NRRD or MetaImage format, and
    its subfolders that hold a DICOM series. Hidden files are passed over.

    Args:
        dataset_dir: where the scans are.
        output_dir: where the masks will be written, if that is to be checked.
        channel_names: channel number → name as the bundle has them, if a dataset.json is to be compared.

    Returns:
        ``{"image": path}`` per scan.

    Raises:
        RefusalError: if the folder or a listed file is missing, if dataset.json contradicts the channels, if there is
            no scan, if a DICOM folder holds several series, if two scans have one name, so that the second mask would
            overwrite the first, or if ``output_dir`` is a folder of scans, where a mask would overwrite its scan.
    """
    folder = Path(dataset_dir)
    if not folder.is_dir():
        refuse(f"{folder} is not a folder. dataset_dir must be an MSD task folder or a folder of scans.")
    scans = _listed(folder, channel_names) or _found(folder)
    if not scans:
        refuse(
            f'{folder} holds no scan: neither a dataset.json with a list "test", nor files ending in '
            f"{', '.join(FORMATS)}, nor a subfolder with a DICOM series."
        )
    for scan in scans:
        if scan.is_dir():
            _refuse_several_series(scan)
    _refuse_shared_names(scans)
    if output_dir is not None:
        _refuse_mixing(scans, Path(output_dir))
    return [{"image": str(scan)} for scan in scans]


def scan_name(scan: str | Path) -> str:
    """The name that a scan's mask bears: the file's without its extension(s); of a DICOM folder, all of its name."""
    return Path(scan).name if Path(scan).is_dir() else case_name(scan)


def _listed(folder: Path, channel_names: Mapping[str, str] | None) -> list[Path]:
    if not (folder / "dataset.json").is_file():
        return []
    index = read_dataset(folder)
    require_agreement(index, channel_names)
    scans = [Path(path) for path in index.test]
    if missing := [str(scan) for scan in scans if not scan.exists()]:
        refuse("\n  ".join([f'{index.file} lists {len(missing)} scan(s) under "test" that do not exist:', *missing]))
    return scans


def _found(folder: Path) -> list[Path]:
    entries = sorted(entry for entry in folder.iterdir() if not is_litter(entry))
    return [entry for entry in entries if _is_image(entry) or _is_dicom_series(entry)]


def _is_image(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(FORMATS)


def _is_dicom_series(path: Path) -> bool:
    return path.is_dir() and any(_is_dicom(file) for file in path.iterdir() if file.is_file() and not is_litter(file))


def _is_dicom(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(132)[128:] == _DICOM_MARK


def _refuse_several_series(folder: Path) -> None:
    """Of several series the reader would take the first in silence."""
    names = itk.GDCMSeriesFileNames.New()
    # As MONAI's ITKReader tells series apart.
    names.SetUseSeriesDetails(True)
    names.AddSeriesRestriction("0008|0021")
    names.SetDirectory(str(folder))
    series = list(names.GetSeriesUIDs())
    if len(series) > 1:
        files = ", ".join(str(len(names.GetFileNames(uid))) for uid in series)
        refuse(
            f"{folder} holds {len(series)} DICOM series (of {files} files), but a scan is one series. Put each into a "
            "folder of its own, and leave out localizers."
        )


def _refuse_shared_names(scans: list[Path]) -> None:
    by_name: dict[str, Path] = {}
    for scan in scans:
        name = scan_name(scan)
        if name in by_name:
            refuse(
                f"{by_name[name]} and {scan} would both write {name}.nii.gz. Rename one, or put them into two folders."
            )
        by_name[name] = scan


def _refuse_mixing(scans: list[Path], output_dir: Path) -> None:
    for scan in scans:
        if scan.resolve().parent == output_dir.resolve():
            refuse(
                f"output_dir {output_dir} is the folder of {scan}: a mask has its scan's name and would overwrite it. "
                "Take another --output_dir."
            )
