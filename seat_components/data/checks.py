"""Checking cases before any training time is spent: every file is read, all bad ones are named at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product

import numpy as np
from tqdm import tqdm

from seat_components.data.compressed import DAMAGE, why_damaged
from seat_components.data.geometry import affine_fault, edge_lengths, in_stored_order, numbers, spacing_fault
from seat_components.data.index import Case
from seat_components.data.slabs import Array, Volume, as_bytes, open_volume
from seat_components.data.survival import Survival
from seat_components.refusals import refuse

NAMED = 20
GRID_TOLERANCE = 0.1  # of a voxel: more than headers lose by rounding, less than any Dice would notice
LARGEST = 1e37  # beyond it, differences and splines leave float32, in which networks compute
LEVELS = 256  # that float32 must be able to tell apart between an image's darkest and its brightest value
MOST_VALUES = 1000  # of a label: more are not collected, since it is none
_THREADS = 4
_REAL = "biuf"  # numpy's letters for real numbers


def check_cases(
    cases: Sequence[Case],
    labels: Collection[int],
    channels: int,
    progress: bool = True,
    pixdim: Sequence[float] | None = None,
) -> Sequence[Case]:
    """Read every case to the end and hand the list back if nothing is wrong with any.

    The rules: a file can be read to its end, its compressed data and their checksum included; its header's voxel
    spacings are positive, and with its affine within the limits of ``data/geometry.py``, also once it is resampled to
    ``pixdim``; the image has ``channels`` channels, real and finite values that float32 can hold and tell apart, and
    more than one value (a constant image has no intensity range, hence nothing to learn from or to attack); image and
    label have one shape and one grid, to a tenth of a voxel at the volume's corners; label values are whole numbers
    among ``labels``, in whatever type they are stored, and some foreground, where there is any, is left once the label
    is resampled. Cases without a "label" are checked for all but a constant image and the label's rules.

    Args:
        cases: ``{"image": path, "label": path}`` each; NIfTI files, however large, are read slab by slab.
        labels: the allowed label values, the background's 0 among them.
        channels: how many channels every image must have.
        progress: whether to show a progress bar.
        pixdim: the spacing in mm, along the axes of RAS orientation, that volumes will be resampled to; None where it
            is not known yet: sizes are then judged at 1 mm, and that foreground is left is not checked.

    Raises:
        RefusalError: naming the first twenty bad files, what is wrong with each, and how many there are.
    """
    check = partial(_faults, labels=frozenset(labels), channels=channels, pixdim=pixdim)
    with ThreadPoolExecutor(_THREADS) as pool:
        results = tqdm(pool.map(check, cases), total=len(cases), desc="Checking cases", disable=not progress)
        faults = [fault for faults in results for fault in faults]
    if faults:
        rest = [f"… and {len(faults) - NAMED} more"] if len(faults) > NAMED else []
        head = f"{len(faults)} of the files of {len(cases)} case(s) cannot be used; mend them or leave the cases out:"
        refuse("\n  ".join([head, *faults[:NAMED], *rest]))
    return cases


def _faults(case: Case, labels: frozenset[int], channels: int, pixdim: Sequence[float] | None) -> list[str]:
    """One line per bad file of the case: its path, and the first rule that it breaks."""
    image = _open(case["image"], pixdim)
    label = _open(case["label"], pixdim) if "label" in case else None
    faults = []
    if fault := image if isinstance(image, str) else _image_fault(image, channels, labelled=label is not None):
        faults.append(f"{case['image']}: {fault}")
    if label is None:
        return faults
    if fault := label if isinstance(label, str) else _label_fault(label, image, labels, pixdim):
        faults.append(f"{case['label']}: {fault}")
    return faults


def _open(path: str, pixdim: Sequence[float] | None) -> Volume | str:
    """The volume, or why it cannot be used at all."""
    try:
        volume = open_volume(path)
    except Exception as error:  # every reader raises what its own library does
        return _unreadable(error)
    if len(volume.shape) != 3:
        return f"is not a 3D volume: its spatial shape is {volume.shape}"
    if not all(0 < size < np.inf for size in volume.spacing):
        return f"has voxel spacing {list(volume.spacing)} in its header, but spacings must be positive and finite"
    return _grid_fault(volume, pixdim) or volume


def _grid_fault(volume: Volume, pixdim: Sequence[float] | None) -> str | None:
    if fault := affine_fault(volume.affine):
        return fault
    wanted = None if pixdim is None else in_stored_order(pixdim, volume.affine)
    return spacing_fault(volume.shape, edge_lengths(volume.affine).tolist(), wanted)


def _unreadable(error: Exception) -> str:
    if isinstance(error, DAMAGE):
        return why_damaged(error)
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return f"cannot be read to the end ({reason[0]}); it is missing, truncated, damaged or not an image"


def _image_fault(image: Volume, channels: int, labelled: bool) -> str | None:
    if image.channels != channels:
        return f"has {image.channels} channel(s), but the task needs {channels}"
    bad, lowest, highest = 0, np.inf, -np.inf
    try:
        for values in image.slabs():
            _require_real(values)
            bad += int(values.size - np.isfinite(values).sum())
            lowest, highest = min(lowest, values.min().item()), max(highest, values.max().item())
    except Exception as error:
        return _unreadable(error)
    if bad:
        return f"has {bad} voxel(s) that are NaN or infinite, but intensities must be finite"
    if labelled and lowest == highest:
        return f"is constant (every voxel is {lowest}), so that it shows nothing"
    return _float32_fault(lowest, highest)


def _require_real(values: Array) -> None:
    if values.dtype.kind not in _REAL:
        raise TypeError(f"its voxels are of type {values.dtype}, but must be real numbers")


def _float32_fault(lowest: float, highest: float) -> str | None:
    """Networks compute in float32: it must hold the values, and tell them apart."""
    largest = max(abs(lowest), abs(highest))
    if largest > LARGEST:
        return f"has values from {lowest:g} to {highest:g}, but float32 computes safely with up to {LARGEST:g} only"
    if lowest != highest and float(np.spacing(np.float32(largest))) * LEVELS > highest - lowest:
        return (
            f"has values from {lowest!r} to {highest!r}: float32 tells fewer than {LEVELS} of them apart, so that the "
            "image would be lost; subtract an offset"
        )
    return None


def _label_fault(
    label: Volume, image: Volume | str, labels: frozenset[int], pixdim: Sequence[float] | None
) -> str | None:
    if label.channels != 1:
        return f"has {label.channels} channels, but a label has one, with a whole number per voxel"
    if not isinstance(image, str) and (fault := _mismatch(label, image)):
        return fault
    left = Survival(label.shape, label.affine, pixdim)
    try:
        found: set[float] = set()
        for values in label.slabs():
            _require_real(values)
            found.update(_distinct(values))
            left.add(values)
            if len(found) > MOST_VALUES:
                break
    except Exception as error:
        return _unreadable(error)
    if strange := [value for value in sorted(found) if value not in labels]:
        return f"has label value(s) {_listing(strange)}, but the task's are {_listing(sorted(labels))}"
    if pixdim is not None and left.vanishes:
        return (
            f"has {left.before} foreground voxel(s) of {numbers(edge_lengths(label.affine))} mm, none of which is left "
            f"at the spacing of the task, {numbers(pixdim)} mm"
        )
    return None


def _mismatch(label: Volume, image: Volume) -> str | None:
    if label.shape != image.shape:
        return f"has shape {label.shape}, but its image has {image.shape}"
    if (shift := _grid_shift(image, label)) > GRID_TOLERANCE:
        return (
            f"lies on another grid than its image: their corners are up to {shift:.2g} voxels apart "
            f"(allowed: {GRID_TOLERANCE}); affine and orientation must agree"
        )
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
