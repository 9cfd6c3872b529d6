"""The record of the theory's quantities for a checkpoint, theory.json."""

from __future__ import annotations

import math
from pathlib import Path

from pydantic import model_validator

from seat_components.records.model import Record, Rows, read_record
from seat_components.records.numbers import Measured, Number

FILE = "theory.json"


class Theory(Record):
    """The quantities of SEAT, Section 3.1, over some cases.

    Attributes:
        cases: how many.
        margins: each case's mean margin.
        log_complexity: log Φ; NaN for a network that has none.
        gradient_norm_1: mean ‖∇_x ℓ‖₁.
        gradient_norm_2: mean ‖∇_x ℓ‖₂.
    """

    cases: Measured
    margins: Rows[Number]
    log_complexity: Number
    gradient_norm_1: Measured
    gradient_norm_2: Measured

    @model_validator(mode="after")
    def _has_margins(self) -> Theory:
        if not self.margins or any(map(math.isnan, self.margins)):
            raise ValueError("'margins' must list a number for each case")
        return self


def read_theory(file: Path) -> Theory:
    """Read ``file``.

    Raises:
        RefusalError: if a quantity is missing or no number.
    """
    return read_record(Theory, file, "Remove it, and its done-mark, to have it made again.")
