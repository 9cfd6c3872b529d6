"""From the files of a case to what a network takes: its scan prepared by the network's own rules, its label alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, SpatialResample
from torch import Tensor

from seat_components.data import CropAroundCentreOfMassd, PadDarkestd, ScanReader, open_scan
from seat_components.data.index import CaseFiles
from seat_components.evaluation.identity import name_of
from seat_components.foreign.moved import fits_better_turned
from seat_components.refusals import reason, refuse

_SAME_GRID = 1e-3
"""How far affines of one grid may be apart, in mm: what headers lose by rounding."""

Transform = Callable[[dict[str, Any]], Any]


def as_in_the_file() -> tuple[Transform, str]:
    """A scan as its file has it, (C, X, Y, Z), and the key by which it is given."""
    return Compose([LoadImaged("image", reader=ScanReader), EnsureChannelFirstd("image")]), "image"


class PreparedCases(torch.utils.data.Dataset[dict[str, Tensor]]):
    """The cases as a network takes them.

    A scan is prepared by transforms that keep its grid's affine up to date, as MONAI's do. Its label is put into the
    grid that comes of it, by the nearest voxel and with background around it, whatever those transforms are.

    Args:
        cases: the files.
        prepare: from ``{key: path of the scan}`` to what has the scan under ``key``, and that key.
        patch: the size of the patch around the foreground's centre of mass; None for the whole.
        least: the size that a whole scan is padded to, where it is smaller; None for none.
        structures: for structures that may overlap, the label values that each is made of; it gets a channel.
    """

    def __init__(
        self,
        cases: Sequence[CaseFiles],
        prepare: tuple[Transform, str],
        patch: Sequence[int] | None,
        least: Sequence[int] | None = None,
        structures: Sequence[Collection[int]] | None = None,
    ) -> None:
        self.cases, self.structures = cases, structures
        self._transforms, self._key = prepare
        keys = ("image", "label")
        self._load_label = Compose(
            [LoadImaged("label", reader=ScanReader(labels=True), dtype=None), EnsureChannelFirstd("label")]
        )
        self._load_scan = as_in_the_file()[0]
        self._nearest = SpatialResample(mode="nearest", padding_mode="zeros")
        sized = CropAroundCentreOfMassd(keys, patch) if patch else PadDarkestd(keys, least) if least else None
        self._sized: Transform = sized or (lambda data: data)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.cases)

    def __getitem__(self, place: int) -> dict[str, Tensor]:
        """``image`` float (C, *spatial), with its file's name and its affine, and ``label`` (1 or K, *spatial).

        Raises:
            RefusalError: if the scan cannot be prepared, if nothing of its label is left where it lies, or if it was
                moved away from there without a word.
        """
        case = self.cases[place]
        image = self._image(case)
        sized = self._sized({"image": image, "label": self._label(case, image)})
        label = torch.as_tensor(sized["label"].as_tensor())
        if self.structures is not None:
            channels = [torch.isin(label, torch.tensor(sorted(values))) for values in self.structures]
            label = torch.cat(channels).to(torch.uint8)
        return {"image": sized["image"], "label": label}

    def _image(self, case: CaseFiles) -> MetaTensor:
        try:
            image = self._transforms({self._key: case["image"]})[self._key]
        except Exception as error:  # transforms of other projects raise whatever they do
            refuse(f"{case['image']} cannot be prepared as a scan: {reason(error)}.")
        if not isinstance(image, MetaTensor) or image.ndim != 4:
            what = f"{type(image).__name__} of {tuple(getattr(image, 'shape', ()))}"
            refuse(
                f"{case['image']} is prepared to a {what}, but it must come out as a MetaTensor (C, X, Y, Z), which "
                "knows where it lies: its label has to be put there, too."
            )
        channels = open_scan(case["image"]).channels
        if channels > 1 and image.shape[0] != channels == image.shape[-1]:
            refuse(
                f"{case['image']} has {channels} channels, which its preprocessing leaves behind the axes of space, "
                f"{tuple(image.shape)}: it is made for one file per channel. Name another with --preprocessing."
            )
        self._require_it_lies_where_it_says(case, image)
        meta = {**image.meta, "affine": image.affine, "filename_or_obj": case["image"]}
        return MetaTensor(image.as_tensor().float(), meta=meta)

    def _require_it_lies_where_it_says(self, case: CaseFiles, image: MetaTensor) -> None:
        if fits_better_turned(image, self._load_scan({"image": case["image"]})["image"]):
            refuse(
                f"{case['image']}: prepared, it does not lie where its affine says, but fits with axes turned round or "
                "swapped: the preprocessing moves voxels without saying so (as MONAI's Transposed does), and the label "
                "would be left behind. Name another with --preprocessing."
            )

    def _label(self, case: CaseFiles, image: MetaTensor) -> MetaTensor:
        label: MetaTensor = self._load_label({"label": case["label"]})["label"]
        apart = float((label.affine - image.affine.to(label.affine)).abs().max())
        if label.shape[1:] == image.shape[1:] and apart < _SAME_GRID:
            return label
        there = self._nearest(label.float(), dst_affine=image.affine, spatial_size=image.shape[1:])
        placed: MetaTensor = there.to(label.dtype)
        if label.ne(0).any() and not placed.ne(0).any():
            refuse(
                f"{name_of(case)}: nothing is left of the label {case['label']} where its prepared scan lies. The "
                "preprocessing has cut it off, or moves voxels without saying so in the scan's affine."
            )
        return placed
