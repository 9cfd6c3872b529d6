"""Where the mask of a scan is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai.data import FolderLayoutBase

from seat_components.data.scans import scan_name


class MaskLayout(FolderLayoutBase):
    """Names masks after their scans, for ``SaveImaged``: ``<output_dir>/<the scan's path in dataset_dir>.nii.gz``.

    Args:
        output_dir: the folder of the masks.
        dataset_dir: the folder of the scans.
    """

    def __init__(self, output_dir: str | Path, dataset_dir: str | Path) -> None:
        self.output_dir = Path(output_dir)
        self.dataset_dir = dataset_dir

    def filename(self, subject: str | Path = "", **_: Any) -> str:
        """The mask's file for the scan ``subject``; its folder is made."""
        file = self.output_dir / f"{scan_name(subject, self.dataset_dir)}.nii.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        return str(file)
