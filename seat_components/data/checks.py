"""Checking cases before any training time is spent: every file is read, all bad ones are named at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product

import numpy as np
from tqdm import tqdm

from seat_components.data.index import Case
from seat_components.data.slabs import Array, Volume, as_bytes, open_volume
from seat_components.refusals import refuse

NAMED = 20
GRID_TOLERANCE = 0.1  # of a voxel: more than headers lose by rounding, less than any Dice would notice
_THREADS = 4


def check_cases(cases: Sequence[Case], labels: Collection[int], channels: int, progress: bool = True) -> Sequence[Case]:
    """Read every case to the end and hand the list back if nothing is wrong with any.

    The rules: a file can be read, and its header's voxel spacings are positive; the image has ``channels`` channels,
    only finite values and more than one value (a constant image has no intensity range, hence nothing to learn from
    or to attack); image and label have one shape and one grid, to a tenth of a voxel at the volume's corners; label
    values are whole numbers among ``labels``, in whatever type they are stored. Cases without a "label" are checked
    for all but a constant image and the label's rules.

    Args:
        cases: ``{"image": path, "label": path}`` each; NIfTI files, however large, are read slab by slab.
        labels: the allowed label values, the background's 0 among them.
        channels: how many channels every image must have.
        progress: whether to show a progress bar.

    Raises:
        RefusalError: naming the first twenty bad files, what is wrong with each, and how many there are.
    """
    check = partial(_faults, labels=frozenset(labels), channels=channels)
    with ThreadPoolExecutor(_THREADS) as pool:
        results = tqdm(pool.map(check, cases), total=len(cases), desc="Checking cases", disable=not progress)
        faults = [fault for faults in results for fault in faults]
    if faults:
        rest = [f"… and {len(faults) - NAMED} more"] if len(faults) > NAMED else []
        head = f"{len(faults)} of the files of {len(cases)} case(s) cannot be used; mend them or leave the cases out:"
        refuse("\n  ".join([head, *faults[:NAMED], *rest]))
    return cases


def _faults(case: Case, labels: frozenset[int], channels: int) -> list[str]:
    """One line per bad file of the case: its path, and the first rule that it breaks."""
    image = _open(case["image"])
    label = _open(case["label"]) if "label" in case else None
    faults = []
    if fault := image if isinstance(image, str) else _image_fault(image, channels, labelled=label is not None):
        faults.append(f"{case['image']}: {fault}")
    if label is None:
        return faults
    if fault := label if isinstance(label, str) else _label_fault(label, image, labels):
        faults.append(f"{case['label']}: {fault}")
    return faults


def _open(path: str) -> Volume | str:
    """The volume, or why it cannot be used at all."""
    try:
        volume = open_volume(path)
    except Exception as error:  # every reader raises what its own library does
        return _unreadable(error)
    if len(volume.shape) != 3:
        return f"is not a 3D volume: its spatial shape is {volume.shape}"
    if not all(0 < size < np.inf for size in volume.spacing) or not _spans_space(volume):
        return f"has voxel spacing {list(volume.spacing)} in its header, but spacings must be positive and finite"
    return volume


def _unreadable(error: Exception) -> str:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return f"cannot be read to the end ({reason[0]}); it is missing, truncated or not an image"


def _spans_space(volume: Volume) -> bool:
    edges = np.linalg.norm(volume.affine[:3, :3], axis=0)
    return bool(np.isfinite(volume.affine).all() and (edges > 0).all())


def _image_fault(image: Volume, channels: int, labelled: bool) -> str | None:
    if image.channels != channels:
        return f"has {image.channels} channel(s), but the task needs {channels}"
    bad, lowest, highest = 0, np.inf, -np.inf
    try:
        for values in image.slabs():
            bad += int(values.size - np.isfinite(values).sum())
            lowest, highest = min(lowest, values.min()), max(highest, values.max())
    except Exception as error:
        return _unreadable(error)
    if bad:
        return f"has {bad} voxel(s) that are NaN or infinite, but intensities must be finite"
    if labelled and lowest == highest:
        return f"is constant (every voxel is {lowest}), so that it shows nothing"
    return None


def _label_fault(label: Volume, image: Volume | str, labels: frozenset[int]) -> str | None:
    if label.channels != 1:
        return f"has {label.channels} channels, but a label has one, with a whole number per voxel"
    if not isinstance(image, str):
        if label.shape != image.shape:
            return f"has shape {label.shape}, but its image has {image.shape}"
        if (shift := _grid_shift(image, label)) > GRID_TOLERANCE:
            return (
                f"lies on another grid than its image: their corners are up to {shift:.2g} voxels apart "
                f"(allowed: {GRID_TOLERANCE}); affine and orientation must agree"
            )
    try:
        found = sorted({value for values in label.slabs() for value in _distinct(values)})
    except Exception as error:
        return _unreadable(error)
    if strange := [value for value in found if value not in labels]:
        return f"has label value(s) {_listing(strange)}, but the task's are {_listing(sorted(labels))}"
    return None


def _distinct(values: Array) -> list[float]:
    whole = as_bytes(values)
    if whole is None:
        return [float(value) for value in np.unique(values)]
    return [float(value) for value in np.flatnonzero(np.bincount(whole.ravel(), minlength=256))]


def _grid_shift(image: Volume, label: Volume) -> float:
    """How far the same corner lies in the two grids, at most, in units of the image's smallest voxel edge."""
    corners = np.array(list(product(*((0, size - 1) for size in image.shape), [1])), dtype=np.float64)
    distances = np.linalg.norm((corners @ (image.affine - label.affine).T)[:, :3], axis=1)
    return float(distances.max() / np.linalg.norm(image.affine[:3, :3], axis=0).min())


def _listing(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:10])
    return f"{shown}, …" if len(values) > 10 else shown
