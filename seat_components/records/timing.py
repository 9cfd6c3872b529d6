"""The record of a training's time and memory, timing.csv."""

from __future__ import annotations

import math

from seat_components.records.model import Record
from seat_components.records.table import Cell

FILE = "timing.csv"


class Timing(Record):
    """One line: what an epoch took; what it had spent before it was stopped and resumed is not in it.

    Attributes:
        epoch: its number, from 1.
        step_seconds: from a batch at hand to the end of its last step.
        data_seconds: waiting for batches.
        peak_mib: memory at its peak so far, in MiB: a GPU's allocated tensors, else what the process held; NaN where
            the system does not say.
    """

    epoch: Cell
    step_seconds: Cell
    data_seconds: Cell
    peak_mib: Cell = math.nan

    def cells(self) -> dict[str, str]:
        """The line: seconds to the millisecond, memory in whole MiB."""
        seconds = {name: f"{getattr(self, name):.3f}" for name in ("step_seconds", "data_seconds")}
        return {
            "epoch": f"{self.epoch:.0f}",
            **seconds,
            "peak_mib": "" if math.isnan(self.peak_mib) else f"{self.peak_mib:.0f}",
        }
