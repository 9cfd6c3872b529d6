"""Pictures of attacked slices: all that is recorded of each, or what was predicted before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from seat_components.records.attacked import CLEAN
from seat_components.records.slices import AttackedSlice, Picture
from seat_components.reporting.records import RunRecords
from seat_components.reporting.style import BLACK, LABELS, in_picture

_OPACITY = 0.35
_WIDTH_INCHES = {3: 6.0, 5: 10.4}  # by the number of panels in a row
_MOST_COLUMNS = 6


def attacked_slices(run: RunRecords, slices: Sequence[AttackedSlice]) -> Figure:
    """One row per slice; predictions and label lie over the image with outlines, classes by colour.

    The perturbation's scale is ±ε_b where the record has it, so that saturated means the whole budget is used;
    otherwise ± the slice's own largest change.
    """
    figure, rows = _panels(slices, 5)
    colours = _colours(slices)
    for one, row in zip(slices, rows, strict=True):
        image, label, clean, perturbation, attacked = row
        _grey(image, one.image)
        overlay(label, one.image, one.label, colours)
        overlay(clean, one.image, one.clean_prediction, colours)
        overlay(attacked, one.image, one.attacked_prediction, colours)
        _scale_bar(figure, perturbation, one)
        image.set_ylabel(in_picture(one.case), fontsize=8)
        for axes, title in (
            (image, "image"),
            (label, "label"),
            (clean, f"clean prediction\nDice {one.clean_dice:.3f}"),
            (perturbation, _attack_title(one)),
            (attacked, f"attacked prediction\nDice {one.attacked_dice:.3f}"),
        ):
            axes.set_title(title, fontsize=8.5)
    _class_legend(figure, run, colours)
    return figure


def before_and_after(shown: Sequence[tuple[RunRecords, AttackedSlice]]) -> Figure:
    """One row per run: the scan with its label outlined, and the prediction without and with the attack."""
    slices = [one for _, one in shown]
    figure, rows = _panels(slices, 3)
    colours = _colours(slices)
    for (run, one), (scan, clean, attacked) in zip(shown, rows, strict=True):
        overlay(scan, one.image, one.label, colours, filled=False)
        overlay(clean, one.image, one.clean_prediction, colours)
        overlay(attacked, one.image, one.attacked_prediction, colours)
        scan.set_ylabel(in_picture(run.name), fontsize=10)
        scan.set_title("scan, label outlined\n", fontsize=10)
        clean.set_title(f"prediction\nDice {one.clean_dice:.2f}", fontsize=10)
        attacked.set_title(f"prediction under attack\nDice {one.attacked_dice:.2f}", fontsize=10)
    _class_legend(figure, shown[0][0], colours)
    return figure


def _panels(slices: Sequence[AttackedSlice], columns: int) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure with a row of axes per slice, of its shape and without ticks."""
    steepest = max(one.image.shape[1] / one.image.shape[0] for one in slices)
    inches = _WIDTH_INCHES[columns]
    row_inches = 0.84 * inches / columns * min(max(steepest, 0.5), 1.5) + 0.45
    figure = Figure(figsize=(inches, row_inches * len(slices) + 0.4), layout="constrained")
    rows = figure.subplots(len(slices), columns, squeeze=False)
    for axes in rows.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    return figure, rows


def _colours(slices: Sequence[AttackedSlice]) -> dict[int, str]:
    """The colour of each class that stands in any mask."""
    classes = sorted({int(value) for one in slices for value in np.unique(_masks(one)) if value > 0})
    return {value: LABELS[i % len(LABELS)] for i, value in enumerate(classes)}


def _class_legend(figure: Figure, run: RunRecords, colours: dict[int, str]) -> None:
    handles = [
        Patch(facecolor=(*to_rgb(colour), _OPACITY), edgecolor=colour, label=in_picture(run.label_name(str(value))))
        for value, colour in colours.items()
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(len(handles), _MOST_COLUMNS),
            fontsize=8,
            frameon=False,
        )


def _grey(axes: Axes, image: Picture) -> AxesImage:
    """The image in grey, first axis to the right and second upwards (axial slices in RAS order stand upright)."""
    return axes.imshow(image.T, cmap="gray", origin="lower", interpolation="nearest")


def overlay(axes: Axes, image: Picture, mask: Picture, colours: dict[int, str], filled: bool = True) -> None:
    """``mask`` over ``image``: each class outlined in its colour, and filled lightly."""
    _grey(axes, image)
    for value, colour in colours.items():
        inside = np.equal(mask.T, value)
        if inside.any():
            if filled:
                fill = np.zeros((*inside.shape, 4))
                fill[inside] = (*to_rgb(colour), _OPACITY)
                axes.imshow(fill, origin="lower", interpolation="nearest")
            # A rim of zeros closes the outlines of regions that reach the slice's edge.
            rim = np.pad(inside.astype(float), 1)
            across, up = (np.arange(-1, size + 1) for size in reversed(inside.shape))
            axes.contour(across, up, rim, levels=[0.5], colors=[colour], linewidths=1.1)
    axes.set_xlim(-0.5, mask.shape[0] - 0.5)
    axes.set_ylim(-0.5, mask.shape[1] - 0.5)


def _scale_bar(figure: Figure, axes: Axes, one: AttackedSlice) -> None:
    known = math.isfinite(one.budget) and one.budget > 0
    largest = one.budget if known else float(np.abs(one.perturbation).max()) or 1.0
    drawn = axes.imshow(
        one.perturbation.T / largest, cmap="PuOr_r", vmin=-1, vmax=1, origin="lower", interpolation="nearest"
    )
    unit = r"$\varepsilon_b$" if known else "max"
    # Inside the panel's own frame, so that the bar is as high as the picture whatever its shape.
    bar = figure.colorbar(drawn, cax=axes.inset_axes((1.04, 0, 0.05, 1)), ticks=[-1, 0, 1])
    bar.ax.set_yticklabels([f"−{unit}", "0", f"+{unit}"], fontsize=7, color=BLACK)
    bar.outline.set_visible(False)


def _attack_title(one: AttackedSlice) -> str:
    return (
        "no attack did worse"
        if one.attack == CLEAN
        else f"perturbation, {in_picture(one.attack)}\nε = {one.eps_255:g}/255"
    )


def _masks(one: AttackedSlice) -> Picture:
    return np.stack([one.label, one.clean_prediction, one.attacked_prediction])
