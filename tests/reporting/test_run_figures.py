"""The figures hold the records' numbers: every line's data equals what was read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated_records import write_run, write_slice
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from seat_components.records.slices import read_slices
from seat_components.reporting import RunRecords, read_run
from seat_components.reporting.robustness_figures import (
    clean_against_worst,
    dice_by_attack,
    dice_by_budget,
    fallen_by_budget,
    share_against_worst,
)
from seat_components.reporting.slice_figures import attacked_slices
from seat_components.reporting.style import METHODS, png, run_styles
from seat_components.reporting.training_figures import gradient_norm_by_window, training_curves


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecords]:
    folder = tmp_path_factory.mktemp("runs")
    lengths = {"SEAT": 60, "FREE": 120, "clean": 20}
    return [read_run(write_run(folder / name, name, epochs, cases=4)) for name, epochs in lengths.items()]


def line(axes: Axes, label: str) -> tuple[list[float], list[float]]:
    (found,) = (one for one in axes.get_lines() if one.get_label() == label)
    x, y = found.get_data()
    return np.asarray(x).tolist(), np.asarray(y).tolist()


def test_training_curves_are_the_history(runs: list[RunRecords]) -> None:
    history = runs[0].history
    assert history is not None
    loss, dice, norm, replays = training_curves(runs[0], history, run_styles(runs)[0]).axes
    assert loss.get_lines()[0].get_ydata() == pytest.approx(history["train_loss"])
    validated = ~np.isnan(history["val_mean_dice"])
    assert line(dice, "mean") == (history.epoch[validated].tolist(), history["val_mean_dice"][validated].tolist())
    looked = ~np.isnan(history["overfit_dice"])
    assert looked.any()
    assert line(dice, "training batch, attacked")[1] == history["overfit_dice"][looked].tolist()
    assert line(dice, "Posterior")[1] == history.val_dice["Posterior"][validated].tolist()
    assert line(norm, "K̃")[1] == history["gradient_norm"].tolist()
    threshold = line(norm, "threshold φ·K̃")[1]
    assert np.array_equal(threshold, history["threshold"], equal_nan=True)
    assert replays.get_lines()[0].get_ydata() == pytest.approx(history["g"])


def test_windows_are_named_by_the_longest_run(runs: list[RunRecords]) -> None:
    (axes,) = gradient_norm_by_window(runs).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1–50", "51–100", "101–120"]
    for run in runs:
        assert run.history is not None
        means = [window.mean for window in run.history.gradient_norm_windows()]
        places, found = line(axes, run.name)
        assert found == means
        assert np.abs(np.array(places) - np.arange(len(means))).max() < 0.3


def test_the_share_of_fallen_cases_is_counted_from_their_least_budgets(runs: list[RunRecords]) -> None:
    (axes,) = fallen_by_budget(runs).axes
    budgets, shares = line(axes, runs[0].name)
    record = runs[0].robustness
    assert record is not None
    for eps, share in zip(budgets, shares, strict=True):
        below = [row for row in record.least_budgets if row.eps_255 is not None and row.eps_255 <= eps]
        assert share == pytest.approx(len(below) / 4)
    # One of the four is above the upper end.
    assert (budgets[-1], shares[-1], record.median_least) == (64, 0.75, "6.5/255")


def test_dice_by_budget_is_the_summary(runs: list[RunRecords]) -> None:
    average, worst = dice_by_budget(runs).axes
    for run in runs:
        assert run.robustness is not None
        assert line(average, run.name) == run.robustness.average_curve()
        assert line(worst, run.name) == run.robustness.curve("worst")
        assert line(worst, run.name)[0] == [0, 2, 4, 6, 8, 10]


def test_dice_by_attack_has_one_line_per_attack(runs: list[RunRecords]) -> None:
    record = runs[0].robustness
    assert record is not None
    (axes,) = dice_by_attack(record).axes
    for attack in record.attacks[1:]:
        assert line(axes, attack) == record.curve(attack)
    assert line(axes, "average over attacks") == record.average_curve()


def test_scatter_has_one_point_per_case(runs: list[RunRecords]) -> None:
    (axes,) = clean_against_worst(runs, 8).axes
    for run in runs:
        assert run.robustness is not None
        pairs = run.robustness.clean_and_worst(8).values()
        assert len(pairs) == 4
        assert list(zip(*line(axes, run.name), strict=True)) == list(pairs)


def test_the_worst_case_stands_above_what_the_budget_is_of_the_contrast(runs: list[RunRecords]) -> None:
    (axes,) = share_against_worst(runs, 8).axes
    for run in runs:
        assert run.robustness is not None
        worst = run.robustness.dice_of_cases("worst", 8)
        shares = pytest.approx([8 * 0.013, 8 * 0.014, 8 * 0.015, 8 * 0.016])
        assert line(axes, run.name) == (shares, list(worst.values()))


def test_a_method_keeps_its_colour_whatever_its_place(runs: list[RunRecords]) -> None:
    assert [colour for colour, _, _ in run_styles(runs)] == [METHODS["seat"], METHODS["free"], METHODS["clean"]]
    assert [colour for colour, _, _ in run_styles(runs[::-1])] == [METHODS["clean"], METHODS["free"], METHODS["seat"]]


def test_runs_of_one_method_share_the_colour_and_differ_in_line(runs: list[RunRecords]) -> None:
    tuned = replace(runs[0], description=runs[0].description.model_copy(update={"method": "SEAT-FT"}))
    first, second = run_styles([runs[0], tuned])
    assert first[0] == second[0]
    assert first[1] != second[1]


@pytest.mark.parametrize("budget", [0.06, None])
def test_perturbation_is_drawn_in_parts_of_the_budget(
    tmp_path: Path, runs: list[RunRecords], budget: float | None
) -> None:
    write_slice(tmp_path, "case", budget=budget)
    (one,) = read_slices(tmp_path / "slices")
    figure = attacked_slices(runs[0], [one])
    perturbation = figure.axes[3].get_images()[0]
    scale = 0.06 if budget else np.abs(one.perturbation).max()
    np.testing.assert_allclose(perturbation.get_array(), one.perturbation.T / scale)
    assert perturbation.get_clim() == (-1, 1)


def test_overlays_show_the_masks(tmp_path: Path, runs: list[RunRecords]) -> None:
    write_slice(tmp_path, "case")
    (one,) = read_slices(tmp_path / "slices")
    figure = attacked_slices(runs[0], [one])
    for place, mask in ((1, one.label), (2, one.clean_prediction), (4, one.attacked_prediction)):
        picture, *fills = figure.axes[place].get_images()
        np.testing.assert_array_equal(picture.get_array(), one.image.T)
        covered = [np.asarray(fill.get_array())[..., 3] > 0 for fill in fills]
        np.testing.assert_array_equal(covered[0], mask.T == 1)
        np.testing.assert_array_equal(covered[1], mask.T == 2)
        assert len(figure.axes[place].collections) == 2
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["Anterior", "Posterior"]
    assert len({to_hex(patch.get_edgecolor()) for patch in figure.legends[0].get_patches()}) == 2


def test_the_same_figure_gives_the_same_bytes(runs: list[RunRecords]) -> None:
    assert png(clean_against_worst(runs, 8)) == png(clean_against_worst(runs, 8))
