"""Whether DICOM slices make one regular volume: one orientation, distinct positions, equal steps, no drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seat_components.data.geometry import Affine
from seat_components.data.itk_files import LPS_TO_RAS
from seat_components.data.slabs import ScanError

_STEP_TOLERANCE = 0.1  # of a step along the normal; in plane, of a pixel
_SAME_PLACE = 1e-3  # mm
_COSINE_TOLERANCE = 1e-3

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Slice:
    """Where one slice, or one frame of a multi-frame file, lies.

    Attributes:
        name: the file's name, and the frame's number where it has several.
        position: of the first pixel's centre, in mm (LPS), (3,).
        orientation: unit vectors along a row and along a column, (2, 3).
        pixel: distance between rows and between columns, in mm.
        size: rows and columns.
        acquisition: the number of the scanner's pass, where it is stated.
    """

    name: str
    position: Vector
    orientation: Vector
    pixel: tuple[float, float]
    size: tuple[int, int]
    acquisition: str = ""

    @property
    def normal(self) -> Vector:
        """The unit vector across the slice, (3,)."""
        return np.cross(*self.orientation)


def stack_slices(slices: Sequence[Slice]) -> tuple[list[list[int]], Affine]:
    """The order in which slices make a volume, and the volume's affine.

    Returns:
        for each place along the normal the indices of the slices there, of which one is to be used if all are the
        same; and the affine from (column, row, place) to mm, RAS+.

    Raises:
        ScanError: if they do not make a regular volume; the message states the rule and the numbers.
    """
    _require_one_grid(slices)
    first = slices[0]
    along = np.array([item.position @ first.normal for item in slices])
    places: list[list[int]] = []
    for index in np.argsort(along, kind="stable").tolist():
        if places and along[index] - along[places[-1][0]] <= _SAME_PLACE:
            places[-1].append(index)
        else:
            places.append([index])
    if len(places) < 2:
        raise ScanError(
            f"holds {len(places)} slice position: a volume needs two or more, whose distance is its spacing"
        )
    heights = np.array([along[place[0]] for place in places])
    step = _require_equal_steps(heights)
    origin = slices[places[0][0]].position
    _require_no_drift(slices, places, step)
    affine = np.eye(4)
    row, column = first.orientation
    affine[:3, :3] = np.stack([row * first.pixel[1], column * first.pixel[0], first.normal * step], axis=1)
    affine[:3, 3] = origin
    return places, LPS_TO_RAS @ affine


def _require_one_grid(slices: Sequence[Slice]) -> None:
    first = slices[0]
    if np.abs(first.orientation @ first.orientation.T - np.eye(2)).max() > _COSINE_TOLERANCE:
        raise ScanError(f"holds {first.name}, whose row and column directions are no perpendicular unit vectors")
    kinds: list[list[Slice]] = []
    for item in slices:
        alike = next((kind for kind in kinds if _alike(kind[0], item)), None)
        if alike is None:
            kinds.append([item])
        else:
            alike.append(item)
    if len(kinds) > 1:
        kinds.sort(key=len, reverse=True)
        raise ScanError(
            f"holds slices of {len(kinds)} orientations or sizes in one series, as where a localizer lies among them: "
            f"{'; '.join(map(_kind_text, kinds[:4]))}. Move those that do not belong to the scan elsewhere"
        )


def _alike(one: Slice, other: Slice) -> bool:
    return (
        one.size == other.size
        and bool(np.abs(one.orientation - other.orientation).max() <= _COSINE_TOLERANCE)
        and bool(np.allclose(one.pixel, other.pixel, rtol=_COSINE_TOLERANCE))
    )


def _kind_text(kind: Sequence[Slice]) -> str:
    first = kind[0]
    normal = ", ".join(f"{value:.3f}" for value in first.normal)
    rows, columns = first.size
    return (
        f"{len(kind)} slice(s) of {columns} × {rows} pixels of {first.pixel[1]:.6g} × {first.pixel[0]:.6g} mm with "
        f"normal ({normal}), such as {first.name}"
    )


def _require_equal_steps(heights: Vector) -> float:
    """The step, in mm; slices are counted from 1 along the normal."""
    steps = np.diff(heights)
    usual = float(np.median(steps))
    uneven = np.flatnonzero(np.abs(steps - usual) > _STEP_TOLERANCE * usual)
    if uneven.size:
        at = int(uneven[0])
        more = f" ({uneven.size - 1} more such pair(s))" if uneven.size > 1 else ""
        raise ScanError(
            f"has a gap or changing spacing: slices {at + 1} and {at + 2} lie {_mm(steps[at])} mm apart, the others "
            f"{_mm(usual)}{more}. The steps of a volume are equal to a tenth: export the series again, or whole"
        )
    step = float(heights[-1] - heights[0]) / (len(heights) - 1)
    away = np.abs(heights - heights[0] - step * np.arange(len(heights)))
    if away.max() > _STEP_TOLERANCE * step:
        raise ScanError(
            f"has changing spacing, from {_mm(steps.min())} to {_mm(steps.max())} mm: slice {int(away.argmax()) + 1} "
            f"lies {_mm(away.max())} mm from where equal steps of {_mm(step)} mm would put it"
        )
    return step


def _require_no_drift(slices: Sequence[Slice], places: Sequence[Sequence[int]], step: float) -> None:
    first = slices[places[0][0]]
    worst, at = 0.0, 0
    for number, place in enumerate(places):
        for index in place:
            away = slices[index].position - first.position
            aside = float(np.linalg.norm(away - (away @ first.normal) * first.normal))
            if aside > worst:
                worst, at = aside, number
    if worst > _STEP_TOLERANCE * min(first.pixel):
        per_step = worst / max(at, 1)
        raise ScanError(
            f"is not stacked along its slices' normal: slice {at + 1} lies {_mm(worst)} mm beside slice 1, "
            f"{_mm(per_step)} mm per step of {_mm(step)} mm, as by a gantry tilt of "
            f"{np.degrees(np.arctan2(per_step, step)):.1f}°. Resample it to upright slices first, as dcm2niix does"
        )


def _mm(length: float) -> str:
    text = f"{length:.3f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text
