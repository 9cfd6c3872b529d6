"""What is wrong with the values of an image or a label, in words; a file that breaks off is found out by reading it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from seat_components.data.compressed import DAMAGE, why_damaged
from seat_components.data.expectation import Percentiles
from seat_components.data.geometry import Survival, corner_shift, edge_lengths, numbers
from seat_components.data.slabs import WHOLE_TOLERANCE, Array, ScanError, Volume, as_bytes, listing, strange_values

_SOURCE_LINE = re.compile(r"\S+\.(cxx|hxx|txx|h):\d+:")  # ITK's errors begin with theirs
_GRID_TOLERANCE = 0.1  # of a voxel: more than headers lose by rounding, less than any Dice would notice
_LARGEST = 1e37  # beyond it, differences and splines leave float32, in which networks compute
_LEVELS = 256  # that float32 must be able to tell apart between an image's darkest and its brightest value
_MOST_VALUES = 1000  # of a label: more are not collected, since it is none
_REAL = "biuf"  # numpy's letters for real numbers
_SAMPLE = 2**18  # voxels per channel, evenly spread, from which percentiles are taken


def unreadable(error: Exception) -> str:
    """Why a file cannot be used, from what was raised on reading it."""
    if isinstance(error, ScanError):
        return str(error)
    if isinstance(error, DAMAGE):
        return why_damaged(error)
    lines = [line for line in str(error).strip().splitlines() if not _SOURCE_LINE.fullmatch(line)]
    reason = lines[0] if lines else type(error).__name__
    return f"cannot be read to the end ({reason}); it is missing, truncated, damaged or not an image"


def image_fault(image: Volume, channels: int, labelled: bool) -> str | Percentiles:
    """The rule that an image breaks; or, of one in order, the percentiles of its intensities."""
    if image.channels != channels:
        return f"has {image.channels} channel(s), but the task needs {channels}"
    bad, lows, highs = 0, [np.inf] * channels, [-np.inf] * channels
    sampled: list[list[Array]] = [[] for _ in range(channels)]
    apart = int(np.prod(image.shape)) // _SAMPLE | 1
    try:
        for channel, _, values in image.slabs():
            _require_real(values)
            bad += int(values.size - np.isfinite(values).sum())
            # As Python's numbers: 64-bit integers stay exact.
            lows[channel] = min(lows[channel], values.min().item())
            highs[channel] = max(highs[channel], values.max().item())
            sampled[channel].append(values.ravel(order="F")[::apart])
    except Exception as error:
        return unreadable(error)
    if bad:
        return f"has {bad} voxel(s) that are NaN or infinite, but intensities must be finite"
    lowest, highest = min(lows), max(highs)
    if labelled and lowest == highest:
        return f"is constant (every voxel is {lowest}), so that it shows nothing"
    if fault := _float32_fault(lowest, highest):
        return fault
    middle = np.array([np.percentile(np.concatenate(values), (0.5, 99.5)) for values in sampled])
    return np.column_stack([lows, middle, highs])


def _require_real(values: Array) -> None:
    if values.dtype.kind not in _REAL:
        raise TypeError(f"its voxels are of type {values.dtype}, but must be real numbers")


def _float32_fault(lowest: float, highest: float) -> str | None:
    """Networks compute in float32: it must hold the values, and tell them apart."""
    largest = max(abs(lowest), abs(highest))
    if largest > _LARGEST:
        return f"has values from {lowest:g} to {highest:g}, but float32 computes safely with up to {_LARGEST:g} only"
    if lowest != highest and float(np.spacing(np.float32(largest))) * _LEVELS > highest - lowest:
        return (
            f"has values from {lowest!r} to {highest!r}: float32 tells fewer than {_LEVELS} of them apart, so that the "
            "image would be lost; subtract an offset"
        )
    return None


def label_fault(
    label: Volume, image: Volume | None, labels: frozenset[int], pixdim: Sequence[float] | None
) -> str | None:
    """The rule that a label breaks, by itself or beside its image (None where that cannot be read)."""
    if label.channels != 1:
        return f"has {label.channels} channels, but a label has one, with a whole number per voxel"
    return (image and _mismatch(label, image)) or _values_fault(label, labels, pixdim)


def _mismatch(label: Volume, image: Volume) -> str | None:
    if label.shape != image.shape:
        return f"has shape {label.shape}, but its image has {image.shape}"
    if (shift := corner_shift(image.affine, label.affine, image.shape)) > _GRID_TOLERANCE:
        return (
            f"lies on another grid than its image: their corners are up to {shift:.2g} voxels apart "
            f"(allowed: {_GRID_TOLERANCE}); affine and orientation must agree"
        )
    return None


def _values_fault(label: Volume, labels: frozenset[int], pixdim: Sequence[float] | None) -> str | None:
    left = Survival(label.shape, label.affine, pixdim)
    found: set[Any] = set()
    try:
        for _, _, values in label.slabs():
            _require_real(values)
            whole = as_bytes(values)
            found.update(_distinct(values if whole is None else whole))
            left.add(values if whole is None else whole)
            if len(found) > _MOST_VALUES:
                break
    except Exception as error:
        return unreadable(error)
    ordered = sorted(found)
    if broken := [value for value in ordered if not _is_whole(value)]:
        others = f" (nor is {listing(broken[1:])})" if len(broken) > 1 else ""
        return f"{broken[0]} is not a whole number{others}, to within {WHOLE_TOLERANCE:g}, as a label's values are"
    if strange := strange_values(ordered, labels):
        return strange
    if pixdim is not None and left.vanishes:
        return (
            f"has {left.before} foreground voxel(s) of {numbers(edge_lengths(label.affine))} mm, none of which is left "
            f"at the spacing of the task, {numbers(pixdim)} mm"
        )
    return None


def _distinct(values: Array) -> list[Any]:
    """Each value once; whole to within the tolerance is whole, others stay as they are."""
    if values.dtype == np.uint8:
        return np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist()
    return [int(np.rint(value)) if _is_whole(value) else value for value in np.unique(values)]


def _is_whole(value: Any) -> bool:
    return bool(np.isfinite(value) and abs(value - np.rint(value)) <= WHOLE_TOLERANCE)
