"""The masks of a certified evaluation: the smoothed answer, and where it abstained, in the scan's own grid."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Invertd

from seat_components.inference.masks import MaskWriter


class SaveCertifiedd(Invertd):
    """Write ``<output_dir>/certified/<transformation>/<case>.nii.gz`` and ``<case>_abstained.nii.gz``.

    A voxel of the scan takes what its nearest voxel in the preprocessed grid has, so that what is guaranteed there is
    guaranteed here. Where the network saw nothing, as around a patch, the mask is 0 and abstained is 1.

    A sample holds ``case`` and ``transformation``, ``image`` with its trace, and ``pred`` and ``guaranteed``
    (1, *spatial). It is passed on unchanged.

    Args:
        output_dir: the folder of the record.
        transform: the preprocessing to undo.
    """

    def __init__(self, output_dir: str | Path, transform: Any) -> None:
        super().__init__(keys=("pred", "guaranteed"), transform=transform, orig_keys="image", nearest_interp=True)
        self.folder = Path(output_dir) / "certified"

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` as it was."""
        maps = {key: MetaTensor(torch.as_tensor(data[key]).cpu().float()) for key in self.keys}
        own: dict[Hashable, Any] = super().__call__({**data, **maps})
        folder = self.folder / data["transformation"]
        folder.mkdir(parents=True, exist_ok=True)
        for name, mask in ((data["case"], own["pred"]), (f"{data['case']}_abstained", 1 - own["guaranteed"])):
            writer = MaskWriter()
            writer.set_data_array(mask)
            writer.set_metadata(data["image"].meta | {"affine": mask.affine})
            writer.write(folder / f"{name}.nii.gz")
        return dict(data)
