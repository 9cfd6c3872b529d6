"""Pictures of training: the course of one run, and K̃ of several methods (the paper's Figure 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seat_components.records.history import History, Values, Window
from seat_components.reporting.records import RunRecords
from seat_components.reporting.style import (
    BLACK,
    GREY,
    LABELS,
    MARKERS,
    VERMILION,
    Line,
    in_picture,
    legend_beside,
    run_styles,
    tidy,
)

_LOGARITHMIC_FROM = 20.0


def training_curves(run: RunRecords, history: History, style: Line) -> Figure:
    """Loss, validation Dice, K̃ with the schedule's threshold, and g, each against the epoch."""
    figure = Figure(figsize=(9.5, 5.6), layout="constrained")
    loss, dice, norm, replays = figure.subplots(2, 2, sharex=True).flat
    colour = style[0]

    draw(loss, history.epoch, history["train_loss"], colour=colour)
    tidy(loss, title="Training loss", y="Dice + cross-entropy")

    for i, (label, values) in enumerate(history.val_dice.items()):
        draw(
            dice,
            history.epoch,
            values,
            name=in_picture(run.label_name(label)),
            colour=LABELS[i % len(LABELS)],
            width=1,
            marker=MARKERS[1],
        )
    draw(dice, history.epoch, history["val_mean_dice"], name="mean", colour=BLACK, width=2.2, marker=MARKERS[0])
    attacked = history["overfit_dice"]
    if np.isfinite(attacked).any():
        draw(dice, history.epoch, attacked, name="training batch, attacked", colour=GREY, marker=MARKERS[2])
    tidy(dice, title=f"Validation Dice ({in_picture(run.description.val_images)})", y="Dice")
    dice.set_ylim(-0.02, 1.02)
    dice.legend(fontsize=8, frameon=False, loc="best")

    draw(norm, history.epoch, history["gradient_norm"], name="K̃", colour=colour)
    threshold = history["threshold"]
    if np.isfinite(threshold).any():
        norm.step(history.epoch, threshold, where="post", color=VERMILION, ls="--", lw=1.2, label="threshold φ·K̃")
        norm.legend(fontsize=8, frameon=False, loc="best")
    tidy(norm, title="Input-gradient norm K̃", x="epoch", y="mean ‖∇ₓ loss‖₁ per sample")

    replays.step(history.epoch, history["g"], where="mid", color=colour, lw=1.6)
    replays.set_ylim(0.5, max(5.5, float(np.nanmax(history["g"], initial=1)) + 0.5))
    replays.yaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(replays, title="Backpropagations per batch g", x="epoch", y="g")
    replays.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def gradient_norm_by_window(runs: Sequence[RunRecords], length: int = 50) -> Figure:
    """Mean K̃ of each run over windows of ``length`` epochs; logarithmic where the means differ much."""
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    trained = [(run, run.history, style) for run, style in zip(runs, run_styles(runs), strict=True) if run.history]
    longest = max((history.gradient_norm_windows(length) for _, history, _ in trained), key=_last_epoch, default=[])
    means: list[float] = []
    for i, (run, history, (colour, line, marker)) in enumerate(trained):
        windows = history.gradient_norm_windows(length)
        means += [window.mean for window in windows]
        # A small sideways shift keeps runs apart that have the same mean.
        shift = (i - (len(trained) - 1) / 2) * min(0.08, 0.5 / len(trained))
        places = np.arange(len(windows)) + shift
        axes.plot(
            places,
            [window.mean for window in windows],
            color=colour,
            ls=line,
            marker=marker,
            label=in_picture(run.name),
        )
    axes.set_xticks(range(len(longest)), [window.name for window in longest])
    axes.set_xlim(-0.5, max(len(longest), 1) - 0.5)
    positive = [mean for mean in means if mean > 0]
    if positive and max(positive) > _LOGARITHMIC_FROM * min(positive):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
        axes.margins(y=0.1)
    tidy(axes, x="epochs", y="mean K̃")
    legend_beside(axes)
    return figure


def _last_epoch(windows: Sequence[Window]) -> int:
    return windows[-1].last


def draw(
    axes: Axes,
    epoch: Values,
    values: Values,
    *,
    name: str = "",
    colour: str = GREY,
    width: float = 1.6,
    marker: str = "",
) -> None:
    """One line through the measured epochs; with few of them, markers show where they are."""
    measured = np.isfinite(values)
    few = marker if measured.sum() <= 40 else ""
    alone = few or ("o" if measured.sum() == 1 else "")
    axes.plot(epoch[measured], values[measured], color=colour, lw=width, marker=alone, ms=3.5, label=name or None)
