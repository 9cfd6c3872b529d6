"""training_history.csv as the report reads it: laws of the windows, refusals, and the trainer's own file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from fabricated_records import COLUMNS, write_history

from seat_components.records.history import History, columns_of, read_history
from seat_components.refusals import RefusalError
from seat_components.training.history import TrainingHistory

HEADER = "epoch,g,gradient_norm,threshold,backpropagations,train_loss,val_mean_dice,learning_rate,seconds"


def history_of(folder: Path, *lines: str, header: str = HEADER) -> History | None:
    path = folder / "training_history.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return read_history(path)


def row(epoch: int, norm: float | str) -> str:
    return f"{epoch},1,{norm},,{epoch},0.5,,0.01,2.0"


def test_a_file_of_before_overfitting_was_looked_for_is_read(tmp_path: Path) -> None:
    history = history_of(tmp_path, row(1, 1.0), row(2, 1.0))
    assert history is not None
    assert "overfit_dice" not in HEADER
    assert np.isnan(history["overfit_dice"]).all()


@pytest.mark.parametrize("epochs", [1, 49, 50, 51, 100, 130])
def test_windows_cover_every_epoch_once(tmp_path: Path, epochs: int) -> None:
    history = history_of(tmp_path, *(row(t, t) for t in range(1, epochs + 1)))
    assert history is not None
    windows = history.gradient_norm_windows()
    covered = [t for window in windows for t in range(window.first, window.last + 1)]
    assert covered == list(range(1, epochs + 1))
    assert len(windows) == math.ceil(epochs / 50)


def test_window_means_by_hand(tmp_path: Path) -> None:
    history = history_of(tmp_path, *(row(t, t) for t in range(1, 121)))
    assert history is not None
    found = [(window.name, window.mean) for window in history.gradient_norm_windows()]
    assert found == [("1–50", 25.5), ("51–100", 75.5), ("101–120", 110.5)]


def test_epochs_without_a_norm_do_not_count(tmp_path: Path) -> None:
    history = history_of(tmp_path, row(1, 2.0), row(2, ""), row(3, "inf"), row(4, 4.0))
    assert history is not None
    assert [window.mean for window in history.gradient_norm_windows()] == [3.0]


def test_a_window_without_any_norm_is_nan(tmp_path: Path) -> None:
    history = history_of(tmp_path, row(1, ""), row(2, ""))
    assert history is not None
    assert math.isnan(history.gradient_norm_windows()[0].mean)


def test_empty_cells_are_nan_and_numbers_are_kept(tmp_path: Path) -> None:
    history = read_history(write_history(tmp_path, epochs=10))
    assert history is not None
    assert history.epochs == 10
    assert np.isnan(history["val_mean_dice"]).tolist() == [True] * 4 + [False] + [True] * 4 + [False]
    assert list(history.val_dice) == ["Anterior", "Posterior"]
    assert history.backpropagations == 3 + 7 * 2


def test_best_is_the_first_of_the_highest(tmp_path: Path) -> None:
    lines = [f"{t},1,1,,{t},0.5,{dice},0.01,2.0" for t, dice in enumerate(["", 0.5, 0.7, "", 0.7], start=1)]
    history = history_of(tmp_path, *lines)
    assert history is not None
    assert history.best == (0.7, 3)


def test_no_finished_epoch_is_no_history(tmp_path: Path) -> None:
    assert history_of(tmp_path) is None


@pytest.mark.parametrize(
    ("header", "lines", "rule"),
    [
        (HEADER.replace("g,", "", 1), ["1,2,,1,0.5,,0.01,2"], "has no column g"),
        (HEADER, ["1,1,many,,1,0.5,,0.01,2"], "line 2: 'gradient_norm' is 'many'"),
        (HEADER, [row(1, 1), "2,1,1"], "line 3: 3 cells"),
        (HEADER, [row(2, 1), row(2, 1)], "ascend from 1"),
        (HEADER, [row(0, 1)], "ascend from 1"),
        ("", [], "has no column epoch"),
    ],
)
def test_malformed_is_refused_by_file_and_rule(tmp_path: Path, header: str, lines: list[str], rule: str) -> None:
    with pytest.raises(RefusalError, match=r"training_history\.csv") as refusal:
        history_of(tmp_path, *lines, header=header)
    assert rule in str(refusal.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "training_history.csv"
    path.write_bytes(b"\xff\xfe\x00epoch")
    with pytest.raises(RefusalError, match="not text in UTF-8"):
        read_history(path)


def test_reads_what_training_writes(tmp_path: Path) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    writer = TrainingHistory(tmp_path, optimizer, None, ["Anterior", "Posterior"])
    assert tuple(columns_of(writer.labels)) == COLUMNS
    writer.rows = [{"epoch": 1, "g": 1, "gradient_norm": 0.25, "backpropagations": 1.0}, {"epoch": 2, "g": 2}]
    writer.path.write_text(writer.csv(), encoding="utf-8")
    history = read_history(writer.path)
    assert history is not None
    assert history["g"].tolist() == [1, 2]
    assert history.backpropagations == 1
