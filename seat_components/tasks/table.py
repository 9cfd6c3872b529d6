"""The task table: what is published about each of the ten tasks, read from two JSON files."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from seat_components.refusals import refuse
from seat_components.tasks.folds import Fold

Size = tuple[int, int, int]


@dataclass(frozen=True)
class OwnData:
    """What a task that is not of the ten says about its dataset.

    Attributes:
        title: the dataset's name.
        licence, reference: as the dataset states them; empty where it does not.
        folds: case names (training, validation) of each fold.
    """

    title: str
    licence: str
    reference: str
    folds: tuple[Fold, ...]


@dataclass(frozen=True)
class Task:
    """One task: of the Medical Segmentation Decathlon (MSD), or planned for a dataset of one's own.

    Attributes:
        name: the dataset folder's name, e.g. ``Task04_Hippocampus``.
        bundle: the bundle's name, e.g. ``msd_task04_hippocampus``.
        modalities: one name per input channel, in channel order.
        labels: one name per class; the position is the label value, position 0 is the background.
        spacing: the voxel spacing to resample to, in mm along (x, y, z).
        median_size: median voxels of a volume at that spacing; the last axis counts 160 at most.
        p0_5, p99_5: 0.5th and 99.5th intensity percentile of each channel.
        mean, std: intensity mean and standard deviation of each channel.
        strides: the network's downsampling factors, one triple per stage.
        train_patch: voxels that the network sees in training.
        sampling_patch: voxels cut out before augmentation; at least ``train_patch``.
        val_patch: voxels of a window in validation, and of the patch that is attacked under the paper's protocol.
        batch_size: patches per batch in the published plan (a 24 GB GPU, mixed precision).
        own: where the data comes from, if the task is none of the ten.

    Intensities are Hounsfield units in CT; in MRI they follow per-volume, per-channel min–max scaling to [0, 1].
    Source: the published plans and fingerprints behind SEAT (MICCAI 2023).
    """

    name: str
    bundle: str
    modalities: tuple[str, ...]
    labels: tuple[str, ...]
    spacing: tuple[float, float, float]
    median_size: tuple[float, float, float]
    p0_5: tuple[float, ...]
    p99_5: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    strides: tuple[Size, ...]
    train_patch: Size
    sampling_patch: Size
    val_patch: Size
    batch_size: int
    own: OwnData | None = None

    @property
    def is_ct(self) -> bool:
        """Whether intensities are Hounsfield units; otherwise each volume is scaled to [0, 1] first."""
        return all_ct(self.modalities)


# CT itself, and with what is said of it in one word: contrast (CECT, NCCT), vessels (CTA, CTPA, CTV), perfusion (CTP),
# dose and detail (LDCT, HRCT, MDCT). Not "CT1", a word for T1 with contrast, nor CBCT, which has no Hounsfield units.
_CT_NAMES = re.compile(
    r"(cc|ce|hr|ld|md|nc|ne)?ct(a|pa|p|v)?(?![^\W_])|(x[\W_]*ray[\W_]*)?comput\w*[\W_]*tomogra", re.IGNORECASE
)


def is_ct_name(channel: str) -> bool:
    """Whether a channel's name is CT, or begins with a word for it, as in "CT, arterial phase"."""
    return _CT_NAMES.match(channel.strip()) is not None


def all_ct(modalities: Iterable[str]) -> bool:
    """Whether each channel's name is one for CT; beside any other channel, such as PET, each channel is scaled."""
    return all(map(is_ct_name, modalities))


@cache
def all_tasks() -> tuple[Task, ...]:
    """The ten tasks, in the order of their numbers."""
    return tuple(_task(name, facts) for name, facts in sorted(_published("msd_tasks.json").items()))


def load_task(name: str) -> Task:
    """The task called ``name``, which is an MSD folder name or a bundle name.

    Raises:
        RefusalError: if there is no such task; the message names the nearest.
    """
    by_name = {known: task for task in all_tasks() for known in (task.name, task.bundle)}
    if name not in by_name:
        nearest = difflib.get_close_matches(name, by_name, n=1, cutoff=0.0)[0]
        refuse(
            f"'{name}' is not one of the ten tasks; the nearest is '{nearest}'. "
            f"The tasks are {', '.join(task.name for task in all_tasks())}."
        )
    return by_name[name]


def fold_cases(task: Task, fold: int = 0) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Case names (training, validation) of a fold, e.g. ``hippocampus_001``.

    Raises:
        RefusalError: for a fold that the task does not have; of the ten, only fold 0 is published.
    """
    if task.own is not None:
        if not 0 <= fold < len(task.own.folds):
            refuse(f"{task.name} has no fold {fold}: its folds are 0 to {len(task.own.folds) - 1}.")
        return task.own.folds[fold]
    if fold != 0:
        refuse(f"{task.name} has no fold {fold}: only fold 0 is published. Use fold 0.")
    lists = _published("fold0.json")[task.name]
    return tuple(lists["train"]), tuple(lists["val"])


def _task(name: str, facts: dict[str, Any]) -> Task:
    intensity, plan = facts["intensity"], facts["plan"]
    return Task(
        name=name,
        bundle="msd_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(),
        modalities=_by_index(facts["modality"]),
        labels=_by_index(facts["labels"]),
        spacing=tuple(facts["spacing_mm"]),
        median_size=tuple(facts["fingerprint"]["median_size"]),
        p0_5=tuple(intensity["p0_5"]),
        p99_5=tuple(intensity["p99_5"]),
        mean=tuple(intensity["mean"]),
        std=tuple(intensity["std"]),
        strides=tuple(tuple(stage) for stage in plan["strides"]),
        train_patch=tuple(plan["train_patch"]),
        sampling_patch=tuple(plan["sampling_patch"]),
        val_patch=tuple(plan["val_patch"]),
        batch_size=plan["batch_24GB_fp16"],
    )


def _by_index(names: dict[str, str]) -> tuple[str, ...]:
    """MSD writes lists as {"0": first, "1": second, …}."""
    return tuple(names[str(index)] for index in range(len(names)))


def _published(file: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(resources.files(__package__).joinpath(file).read_text("utf-8"))
    return content
