"""What an epoch took: ``timing.csv`` with time and memory, and a warning where the network waits for its data."""

from __future__ import annotations

import csv
import io
import logging
import sys
import time
from pathlib import Path

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from seat_components.files import write_text_atomically

logger = logging.getLogger(__name__)

COLUMNS = ("epoch", "step_seconds", "data_seconds", "peak_mib")
SHARE = 0.05


class EpochTiming:
    """Write ``timing.csv`` after each epoch, and warn once where data is slower than the network.

    Columns: epoch; step_seconds (from a batch at hand to the end of its last step); data_seconds (waiting for
    batches); peak_mib (memory at its peak so far, in MiB: a GPU's allocated tensors, else what the process held, empty
    where the system does not say). What an epoch that was resumed had spent before it was stopped is not in them. The
    first epoch fills caches and starts the workers, so the warning looks at later ones.

    Args:
        directory: the run's output folder.
    """

    FILE_NAME = "timing.csv"

    def __init__(self, directory: str | Path) -> None:
        self.path = Path(directory) / self.FILE_NAME
        self._mark = 0.0
        self._seconds = {"step_seconds": 0.0, "data_seconds": 0.0}
        self._epochs = 0
        self._has_warned = False

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin_epoch)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._begin)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self._end, "data_seconds")
        engine.add_event_handler(Events.ITERATION_STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._end, "step_seconds")
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)

    def _begin_epoch(self) -> None:
        self._seconds = dict.fromkeys(self._seconds, 0.0)

    def _begin(self) -> None:
        self._mark = time.monotonic()

    def _end(self, part: str) -> None:
        self._seconds[part] += time.monotonic() - self._mark

    def _end_epoch(self, engine: Engine) -> None:
        if idist.get_rank() != 0:
            return
        epoch = engine.state.epoch
        rows = self._rows_before(epoch)
        seconds = {name: f"{value:.3f}" for name, value in self._seconds.items()}
        rows.append({"epoch": str(epoch), **seconds, "peak_mib": peak_memory(torch.device(engine.state.device))})
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text_atomically(text.getvalue(), self.path)
        self._epochs += 1
        self._warn()

    def _rows_before(self, epoch: int) -> list[dict[str, str]]:
        if not self.path.is_file():
            return []
        try:
            with self.path.open(encoding="utf-8", newline="") as file:
                rows = [{name: row.get(name) or "" for name in COLUMNS} for row in csv.DictReader(file)]
            return [row for row in rows if int(row["epoch"]) < epoch]
        except (KeyError, ValueError, csv.Error) as error:
            logger.warning(f"{self.path} is not as a training writes it ({error}), and is begun anew.")
            return []

    def _warn(self) -> None:
        waiting, working = self._seconds["data_seconds"], self._seconds["step_seconds"]
        if self._has_warned or self._epochs == 1 or waiting <= SHARE * working:
            return
        self._has_warned = True
        logger.warning(
            f"The network waited for its data for {waiting:.1f} s of this epoch, beside {working:.1f} s of steps: "
            "a higher num_workers or cache_rate may shorten the training."
        )


def peak_memory(device: torch.device) -> str:
    """Memory at its peak in this process, in whole MiB: tensors on a GPU, else the resident set; empty if unknown."""
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / 2**20:.0f}"
    if sys.platform == "win32":
        return ""
    import resource  # noqa: PLC0415 - Windows does not have it

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.0f}"
