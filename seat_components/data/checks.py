"""Checking cases before any training time is spent: every file is read, all bad ones are named at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import EnsureChannelFirst, LoadImage
from numpy.typing import NDArray
from tqdm import tqdm

from seat_components.data.index import Case
from seat_components.refusals import refuse

NAMED = 20
GRID_TOLERANCE = 0.1  # of a voxel: more than headers lose by rounding, less than any Dice would notice
_THREADS = 4


def check_cases(cases: Sequence[Case], labels: Collection[int], channels: int, progress: bool = True) -> Sequence[Case]:
    """Read every case to the end and hand the list back if nothing is wrong with any.

    The rules: a file can be read; the image has ``channels`` channels, only finite values and more than one
    value (a constant image has no intensity range, hence nothing to learn from or to attack); image and
    label have one shape and one grid, to a tenth of a voxel at the volume's corners; label values are whole numbers
    among ``labels``. Cases without a "label" are checked for readability, channels and finite values.

    Args:
        cases: ``{"image": path, "label": path}`` each.
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
    image = _read(case["image"])
    label = _read(case["label"]) if "label" in case else None
    faults = []
    if fault := image if isinstance(image, str) else _image_fault(image, channels, labelled=label is not None):
        faults.append(f"{case['image']}: {fault}")
    if label is None:
        return faults
    if fault := label if isinstance(label, str) else next(_label_faults(label, image, labels), None):
        faults.append(f"{case['label']}: {fault}")
    return faults


def _read(path: str) -> MetaTensor | str:
    """The volume (C, H, W, D), or why it cannot be used at all."""
    try:
        volume: MetaTensor = EnsureChannelFirst()(LoadImage(dtype=None)(path))
    except Exception as error:  # every reader raises what its own library does
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return f"cannot be read to the end ({reason[0]}); it is missing, truncated or not an image"
    if volume.ndim != 4:
        return f"is not a 3D volume: its spatial shape is {tuple(volume.shape[1:])}"
    if not (volume.affine.isfinite().all() and (volume.pixdim > 0).all()):
        return f"has voxel spacing {volume.pixdim.tolist()} in its header, but spacings must be positive"
    return volume


def _image_fault(image: MetaTensor, channels: int, labelled: bool) -> str | None:
    if image.shape[0] != channels:
        return f"has {image.shape[0]} channel(s), but the task needs {channels}"
    values = image.numpy()
    if bad := int(values.size - np.isfinite(values).sum()):
        return f"has {bad} voxel(s) that are NaN or infinite, but intensities must be finite"
    if labelled and values.min() == values.max():
        return f"is constant (every voxel is {values.flat[0]}), so that it shows nothing"
    return None


def _label_faults(label: MetaTensor, image: MetaTensor | str, labels: frozenset[int]) -> Iterator[str]:
    if label.shape[0] != 1:
        yield f"has {label.shape[0]} channels, but a label has one, with a whole number per voxel"
    if not isinstance(image, str):
        shape, wanted = tuple(label.shape[1:]), tuple(image.shape[1:])
        if shape != wanted:
            yield f"has shape {shape}, but its image has {wanted}"
        elif (shift := _grid_shift(image, label)) > GRID_TOLERANCE:
            yield (
                f"lies on another grid than its image: their corners are up to {shift:.2g} voxels apart "
                f"(allowed: {GRID_TOLERANCE}); affine and orientation must agree"
            )
    values = np.unique(label.numpy())
    if strange := [float(value) for value in values if float(value) not in labels]:
        yield f"has label value(s) {_listing(strange)}, but the task's are {_listing(sorted(labels))}"


def _grid_shift(image: MetaTensor, label: MetaTensor) -> float:
    """How far the same corner lies in the two grids, at most, in units of the image's smallest voxel edge."""
    ends = torch.tensor(image.shape[1:], dtype=torch.float64) - 1
    corners = torch.cartesian_prod(*torch.stack([torch.zeros_like(ends), ends], dim=1))
    homogeneous = torch.cat([corners, torch.ones(len(corners), 1, dtype=torch.float64)], dim=1)
    difference = (image.affine - label.affine).to(torch.float64)
    distances: NDArray[np.float64] = (homogeneous @ difference.T)[:, :-1].norm(dim=1).numpy()
    return float(distances.max() / image.pixdim.min())


def _listing(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:10])
    return f"{shown}, …" if len(values) > 10 else shown
