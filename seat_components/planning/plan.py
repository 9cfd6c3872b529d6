"""The plan for a dataset: from its fingerprint to all values that a bundle needs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from seat_components.files import GIB
from seat_components.networks import ROG
from seat_components.planning.dataset import DatasetDescription
from seat_components.planning.fingerprint import Fingerprint
from seat_components.planning.intensities import CT_RANGE
from seat_components.planning.patches import Patches, plan_patches
from seat_components.refusals import refuse
from seat_components.training.memory import step_bytes

_BATCH_BYTES = 22 * GIB  # of a 24 GB GPU, for a float32 step; mixed precision leaves room
_LARGEST_BATCH = 22  # the largest published


@dataclass(frozen=True)
class BundlePlan:
    """How a dataset is to be trained.

    Attributes:
        dataset: the dataset.
        fingerprint: what was measured.
        patches: patch sizes and strides.
        batch_size: patches per batch.
    """

    dataset: DatasetDescription
    fingerprint: Fingerprint
    patches: Patches
    batch_size: int

    def to_json(self) -> str:
        """The plan and what it follows from, as a JSON document."""
        content: dict[str, Any] = {
            "dataset": self.dataset.title,
            "kind": "CT" if self.dataset.is_ct else "MRI",
            "modality": dict(enumerate(self.dataset.modalities)),
            "labels": dict(enumerate(self.dataset.labels)),
            "fingerprint": {key: value for key, value in asdict(self.fingerprint).items() if key not in _INTENSITIES},
            "intensity": {
                "unit": "HU" if self.dataset.is_ct else "each channel of each volume scaled to [0, 1]",
                **{key: getattr(self.fingerprint, key) for key in _INTENSITIES},
            },
            "plan": {
                "spacing_mm": self.fingerprint.spacing,
                "strides": self.patches.strides,
                "train_patch": self.patches.train,
                "sampling_patch": self.patches.sampling,
                "val_patch": self.patches.val,
                "batch_size": self.batch_size,
            },
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


_INTENSITIES = ("p0_5", "p99_5", "mean", "std")


def make_plan(dataset: DatasetDescription, fingerprint: Fingerprint) -> BundlePlan:
    """The plan that follows from a fingerprint.

    Spacing is the median along each axis, also of anisotropic data. (nnU-Net would take the 10th percentile
    along a coarse axis; the published plans do not: they resample Tasks 08 to 10 to 5 mm.) Patches and strides
    follow ``plan_patches``, the batch size ``batch_size``. The intensity window is the 0.5th to the 99.5th percentile.

    Raises:
        RefusalError: if the foreground of a channel is constant, or if it is listed as CT and its intensities cannot be
            Hounsfield units.
    """
    _check_intensities(dataset, fingerprint)
    patches = plan_patches(fingerprint.median_size, fingerprint.small_size, fingerprint.small_volume)
    channels, classes = len(dataset.modalities), len(dataset.labels)
    return BundlePlan(dataset, fingerprint, patches, batch_size(patches, channels, classes, fingerprint.cases))


def batch_size(patches: Patches, channels: int, classes: int, cases: int) -> int:
    """Patches per batch: as many as fit, by the estimate of ``step_bytes`` in float32, into 22 GiB.

    At most 22, the largest published, and at most half of the cases that a fold of five trains with, so that an
    epoch has two batches or more; at least 1.

    This rule is ours: none is published. It gives the published batch of seven of the ten tasks, one less in
    Task09, and about twice the published one in Tasks 05 and 08, which the authors ran with small patches.
    """
    network = ROG(channels, classes, patches.strides)
    fixed, per_patch = step_bytes(network, (channels, *patches.train))
    trained = cases - math.ceil(cases / 5)
    return max(min((_BATCH_BYTES - fixed) // per_patch, _LARGEST_BATCH, trained // 2), 1)


def _check_intensities(dataset: DatasetDescription, fingerprint: Fingerprint) -> None:
    file = dataset.folder / "dataset.json"
    for channel, name in enumerate(dataset.modalities):
        low, high = fingerprint.p0_5[channel], fingerprint.p99_5[channel]
        if low >= high or fingerprint.std[channel] == 0:
            refuse(
                f"{file}: the foreground of channel {channel} ({name}) is constant ({low:g}) in nearly all voxels, so "
                "that there is no intensity window to plan. Check the images and their labels."
            )
        if dataset.is_ct and (low <= CT_RANGE[0] or high >= CT_RANGE[1]):
            refuse(
                f'{file}: channel {channel} is listed as "CT", but its foreground goes from {low:g} to {high:g}: these '
                'are not Hounsfield units. Convert the images, or name the channel otherwise under "modality".'
            )
