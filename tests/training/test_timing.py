"""An epoch's time is split into steps and waiting for data, and slow data is said once."""

import csv
import logging
import os
import time

import pytest
import torch
from harness import batches, network, optimizer, trainer

from seat_components.training import CleanUpdate, EpochTiming, FixedSchedule
from seat_components.training.timing import peak_memory


class SlowData:
    """Batches that each take a moment to come."""

    def __init__(self, data, delay):
        self.data, self.delay = data, delay

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        for batch in self.data:
            time.sleep(self.delay)
            yield batch


def run(folder, delay, epochs=3):
    net = network()
    engine = trainer(
        net, CleanUpdate(), SlowData(batches(sizes=(2, 2)), delay), epochs, FixedSchedule(1), optimizer=optimizer(net)
    )
    EpochTiming(folder).attach(engine)
    start = time.monotonic()
    engine.run()
    with (folder / "timing.csv").open() as file:
        return list(csv.DictReader(file)), time.monotonic() - start


def test_steps_and_waiting_are_told_apart(tmp_path):
    rows, wall = run(tmp_path, delay=0.1)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert all(float(row["data_seconds"]) >= 0.2 for row in rows)
    assert all(float(row["step_seconds"]) > 0 for row in rows)
    assert sum(float(row["step_seconds"]) + float(row["data_seconds"]) for row in rows) <= wall


def test_a_later_run_keeps_the_epochs_before_it(tmp_path):
    (tmp_path / "timing.csv").write_text("epoch,step_seconds,data_seconds\n0,7.000,1.000\n2,9.000,9.000\n")
    rows, _ = run(tmp_path, delay=0, epochs=2)
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert rows[0]["step_seconds"] == "7.000"
    assert rows[2]["step_seconds"] != "9.000"


@pytest.mark.parametrize(("delay", "warnings"), [(0.2, 1), (0, 0)])
def test_slow_data_is_said_once_and_not_for_the_first_epoch(tmp_path, caplog, monkeypatch, delay, warnings):
    # Without delay, what remains is the loop's own time, beside steps of a millisecond.
    monkeypatch.setattr("seat_components.training.timing.SHARE", 5)
    with caplog.at_level(logging.WARNING):
        run(tmp_path, delay, epochs=1)
        assert not caplog.records
        run(tmp_path, delay, epochs=4)
    assert sum("num_workers" in record.message for record in caplog.records) == warnings


def test_peak_memory_lies_between_what_was_held_and_what_there_is():
    held = torch.ones(2**20)
    peak = int(peak_memory(torch.device("cpu"))) * 2**20
    assert held.nbytes < peak < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    "content", ["", "epoch\nx\n", "epoch,step_seconds,data_seconds,peak_mib\n1,2\n", "\0", b"\xff"]
)
def test_a_file_that_was_edited_stops_no_training(tmp_path, content):
    (tmp_path / "timing.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    rows, _ = run(tmp_path, delay=0, epochs=2)
    assert [row["epoch"] for row in rows] == ["1", "2"]
