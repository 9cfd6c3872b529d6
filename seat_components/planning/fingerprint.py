"""A dataset's fingerprint: typical sizes, spacing, smallest class and intensities of all its cases."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from tqdm import tqdm

from seat_components.data import check_cases
from seat_components.planning.dataset import DatasetDescription
from seat_components.planning.intensities import Intensities
from seat_components.planning.measure import CaseMeasure, ObjectSize, Triple, measure_case
from seat_components.refusals import refuse

_MOST_WORKERS = 4  # by default; each holds one label and reads one image


@dataclass(frozen=True)
class Fingerprint:
    """What the planning rules need to know of a dataset; axes are those of RAS orientation.

    Attributes:
        cases: how many were measured.
        spacing: median voxel spacing, in mm along each axis; the plan resamples to it.
        median_size: voxels of the median volume along each axis after resampling; not capped.
        small_label: value of the smallest class, by the mean volume of its objects.
        small_size, small_volume: box and volume of its typical object, in voxels after resampling.
        p0_5, p99_5, mean, std: per channel, over all foreground voxels of all cases; Hounsfield units in CT,
            otherwise after scaling each channel of each volume to [0, 1].
    """

    cases: int
    spacing: Triple
    median_size: Triple
    small_label: int
    small_size: tuple[int, int, int]
    small_volume: int
    p0_5: tuple[float, ...]
    p99_5: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def measure_dataset(dataset: DatasetDescription, workers: int | None = None, progress: bool = True) -> Fingerprint:
    """Check all labelled cases, then measure them, some at a time.

    Nothing is sampled, and the result depends neither on ``workers`` nor on timing. Beside one label and 16 slices
    of an image per worker, and the summaries of the cases at hand, no data is held; ``check_cases``, which reads
    everything before that, holds pieces of a few files. Objects are measured in the grid of the file and converted to
    the planned spacing, which saves resampling every label.

    Args:
        dataset: the dataset.
        workers: cases to measure at a time; None takes one per core, up to 4.
        progress: whether to show progress bars.

    Raises:
        RefusalError: if a case is not in order (see ``check_cases``), if the workers are not 1 or more, or if no case
            shows any foreground.
    """
    workers = min(os.cpu_count() or 1, _MOST_WORKERS) if workers is None else workers
    if workers < 1:
        refuse(f"--workers is {workers}, but at least 1 case is measured at a time.")
    cases = check_cases(list(dataset.cases.values()), range(len(dataset.labels)), len(dataset.modalities), progress)
    measure = partial(measure_case, channels=len(dataset.modalities), classes=len(dataset.labels), is_ct=dataset.is_ct)
    summary = _Summary()
    with ThreadPoolExecutor(workers) as pool, tqdm(total=len(cases), desc="Measuring", disable=not progress) as bar:
        # In groups, so that no more than a group's summaries wait to be merged.
        for start in range(0, len(cases), 2 * workers):
            for measured in pool.map(measure, cases[start : start + 2 * workers]):
                summary.add(measured)
                bar.update()
    return summary.fingerprint(dataset)


class _Summary:
    """What is kept of the cases: a few numbers each, and one running summary of intensities per channel."""

    def __init__(self) -> None:
        self.geometry: list[tuple[Triple, Triple]] = []
        self.objects: list[tuple[Triple, dict[int, ObjectSize]]] = []
        self.intensities: list[Intensities] = []

    def add(self, case: CaseMeasure) -> None:
        self.geometry.append((case.shape, case.spacing))
        self.objects.append((case.spacing, case.objects))
        if not self.intensities:
            self.intensities = case.intensities
            return
        for total, intensities in zip(self.intensities, case.intensities, strict=True):
            total.merge(intensities)

    def fingerprint(self, dataset: DatasetDescription) -> Fingerprint:
        spacing = _triple(np.median([spacing for _, spacing in self.geometry], axis=0).round(6))
        sizes = [np.rint(np.array(shape) * own / np.array(spacing)) for shape, own in self.geometry]
        typical = self._typical_objects(spacing)
        if not typical:
            refuse(f"{dataset.folder / 'dataset.json'}: none of its {len(self.geometry)} labels shows any foreground.")
        small_label = min(typical, key=lambda label: (typical[label].volume, label))
        small = typical[small_label]
        x, y, z = (max(round(edge), 1) for edge in small.size)
        return Fingerprint(
            cases=len(self.geometry),
            spacing=spacing,
            median_size=_triple(np.median(sizes, axis=0)),
            small_label=small_label,
            small_size=(x, y, z),
            small_volume=max(round(small.volume), 1),
            p0_5=tuple(channel.percentile(0.5) for channel in self.intensities),
            p99_5=tuple(channel.percentile(99.5) for channel in self.intensities),
            mean=tuple(channel.mean for channel in self.intensities),
            std=tuple(channel.std for channel in self.intensities),
        )

    def _typical_objects(self, spacing: Triple) -> dict[int, ObjectSize]:
        """Of each class that occurs: the mean over the cases that show it, in voxels of ``spacing``."""
        by_class: dict[int, list[ObjectSize]] = {}
        for own, objects in self.objects:
            factors = _triple(np.array(own) / np.array(spacing))
            for label, size in objects.items():
                by_class.setdefault(label, []).append(size.scaled(factors))
        return {label: _mean(sizes) for label, sizes in by_class.items()}


def _mean(sizes: Sequence[ObjectSize]) -> ObjectSize:
    edges = np.mean([size.size for size in sizes], axis=0)
    return ObjectSize(_triple(edges), float(np.mean([size.volume for size in sizes])))


def _triple(values: Iterable[float]) -> Triple:
    x, y, z = (float(value) for value in values)
    return x, y, z
