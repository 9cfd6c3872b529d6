"""What an epoch took: ``timing.csv`` with time and memory, and a warning where the network waits for its data."""

from __future__ import annotations

import logging
import math
import sys
import time
from pathlib import Path

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from seat_components.records.table import parse_table, write_table
from seat_components.records.timing import FILE, Timing

logger = logging.getLogger(__name__)

SHARE = 0.05


class EpochTiming:
    """Write ``timing.csv`` after each epoch, and warn once where data is slower than the network.

    Its columns are those of ``records.timing.Timing``. The first epoch fills caches and starts the workers, so the
    warning looks at later ones.

    Args:
        directory: the run's output folder.
    """

    def __init__(self, directory: str | Path) -> None:
        self.path = Path(directory) / FILE
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
        peak = peak_memory(torch.device(engine.state.device))
        row = Timing(epoch=engine.state.epoch, peak_mib=peak, **self._seconds)
        write_table(
            tuple(Timing.model_fields), [one.cells() for one in (*self._rows_before(row.epoch), row)], self.path
        )
        self._epochs += 1
        self._warn()

    def _rows_before(self, epoch: float) -> list[Timing]:
        if not self.path.is_file():
            return []
        try:
            return [row for row in parse_table(Timing, self.path.read_text("utf-8")) if row.epoch < epoch]
        except ValueError as error:
            logger.warning(f"{self.path} is not as a training writes it and is begun anew: {self.path.name}{error}")
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


def peak_memory(device: torch.device) -> float:
    """Memory at its peak in this process, in MiB: tensors on a GPU, else the resident set; NaN if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return math.nan
    import resource  # noqa: PLC0415 - Windows does not have it

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
