"""Checking cases before any training time is spent: every file is read, all bad ones are named at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from tqdm import tqdm

from seat_components.data.dicom_series import Choice
from seat_components.data.expectation import Expectation
from seat_components.data.faults import image_fault, label_fault, unreadable
from seat_components.data.geometry import affine_fault, edge_lengths, in_stored_order, spacing_fault
from seat_components.data.index import CaseFiles
from seat_components.data.notices import notice
from seat_components.data.reading import open_scan
from seat_components.data.slabs import Volume
from seat_components.refusals import refuse

_NAMED = 20
_THREADS = 4


def check_cases(
    cases: Sequence[CaseFiles],
    labels: Collection[int],
    channels: int,
    progress: bool = True,
    pixdim: Sequence[float] | None = None,
    expected: Expectation | None = None,
    strict: bool = False,
    series: Choice = None,
) -> Sequence[CaseFiles]:
    """Read every case to the end and hand the list back if nothing is wrong with any.

    The rules: a file can be read to its end, its compressed data and their checksum included; its header's voxel
    spacings are positive, and with its affine within the limits of ``data/geometry.py``, also once it is resampled to
    ``pixdim``; the image has ``channels`` channels, real and finite values that float32 can hold and tell apart, and
    more than one value (a constant image has no intensity range, hence nothing to learn from or to attack); image and
    label have one shape and one grid, to a tenth of a voxel at the volume's corners; label values are whole numbers
    (to within 1e-3) among ``labels``, in whatever type they are stored, and some foreground, where there is any, is
    left once the label is resampled. Cases without a "label" are checked for all but a constant image and the label's
    rules. How files are read is stated in ``data/reading.py``.

    Args:
        cases: ``{"image": path, "label": path}`` each; NIfTI files, however large, are read slab by slab.
        labels: the allowed label values, the background's 0 among them.
        channels: how many channels every image must have.
        progress: whether to show a progress bar.
        pixdim: the spacing in mm, along the axes of RAS orientation, that volumes will be resampled to; None where it
            is not known yet: sizes are then judged at 1 mm, and that foreground is left is not checked.
        expected: what scans are to be like; one that is far outside is named in a warning.
        strict: whether such a scan is refused instead.
        series: which DICOM series of a folder is read (see ``choose_series``).

    Raises:
        RefusalError: naming the first twenty bad files, what is wrong with each, and how many there are.
    """
    check = partial(
        _faults,
        labels=frozenset(labels),
        channels=channels,
        pixdim=pixdim,
        expected=expected,
        strict=strict,
        series=series,
    )
    with ThreadPoolExecutor(_THREADS) as pool:
        results = tqdm(pool.map(check, cases), total=len(cases), desc="Checking cases", disable=not progress)
        faults = [fault for faults in results for fault in faults]
    if faults:
        rest = [f"… and {len(faults) - _NAMED} more"] if len(faults) > _NAMED else []
        head = f"{len(faults)} of the files of {len(cases)} case(s) cannot be used; mend them or leave the cases out:"
        refuse("\n  ".join([head, *faults[:_NAMED], *rest]))
    return cases


def _faults(
    case: CaseFiles,
    labels: frozenset[int],
    channels: int,
    pixdim: Sequence[float] | None,
    expected: Expectation | None,
    strict: bool,
    series: Choice,
) -> list[str]:
    """One line per bad file of the case: its path, and the first rule that it breaks."""
    image = _open(case["image"], pixdim, series)
    seen = image if isinstance(image, str) else image_fault(image, channels, labelled="label" in case)
    faults = []
    if isinstance(seen, str):
        faults.append(f"{case['image']}: {seen}")
    elif expected is not None and isinstance(image, Volume):
        remarks = "; it ".join(expected.remarks(image.affine, image.shape, seen))
        if remarks and strict:
            faults.append(f"{case['image']}: {remarks}")
        elif remarks:
            notice(case["image"], f"{remarks}.")
    if "label" in case:
        label = _open(case["label"], pixdim)
        beside = image if isinstance(image, Volume) else None
        if wrong := label if isinstance(label, str) else label_fault(label, beside, labels, pixdim):
            faults.append(f"{case['label']}: {wrong}")
    return faults


def _open(path: str, pixdim: Sequence[float] | None, series: Choice = None) -> Volume | str:
    """The volume, or why it cannot be used at all."""
    try:
        volume = open_scan(path, series)
    except Exception as error:  # every reader raises what its own library does
        return unreadable(error)
    if not all(0 < size < np.inf for size in volume.spacing):
        return f"has voxel spacing {list(volume.spacing)} in its header, but spacings must be positive and finite"
    return _grid_fault(volume, pixdim) or volume


def _grid_fault(volume: Volume, pixdim: Sequence[float] | None) -> str | None:
    if fault := affine_fault(volume.affine):
        return fault
    wanted = None if pixdim is None else in_stored_order(pixdim, volume.affine)
    return spacing_fault(volume.shape, edge_lengths(volume.affine).tolist(), wanted)
