"""The numbers of records: null where one was not measured (NaN in the program), and their mean."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from seat_components.records.model import kind

_DICE_TOLERANCE = 1e-6
_WHOLE_RANGE = 255


def _number(value: Any) -> float:
    # A whole number stays one, so that it is written as it was read.
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"is {kind(value)}, but it must be a number or null")
    return value


def _dice(value: Any) -> float:
    dice = _number(value)
    if not (math.isnan(dice) or -_DICE_TOLERANCE <= dice <= 1 + _DICE_TOLERANCE):
        raise ValueError(f"is {dice:g}, but a Dice coefficient lies between 0 and 1")
    return dice


def _measured(value: Any) -> float:
    number = _number(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"is {_shown(number)}, but it must be a number, 0 or more")
    return number


def _budget(value: Any) -> float:
    eps = _number(value)
    if not 0 <= eps <= _WHOLE_RANGE:
        raise ValueError(f"is {_shown(eps)}, but a budget is 0 or a positive number of 255ths, up to {_WHOLE_RANGE}")
    return eps


def _shown(number: float) -> str:
    return "missing" if math.isnan(number) else f"{number:g}"


# Beside null for NaN: a whole number is written as one.
_OR_NULL = PlainSerializer(lambda number: None if math.isnan(number) else number)

Number = Annotated[float, PlainValidator(_number), _OR_NULL]
Dice = Annotated[float, PlainValidator(_dice), _OR_NULL]
"""A Dice coefficient in [0, 1], or NaN where not defined."""
Measured = Annotated[float, PlainValidator(_measured), _OR_NULL]
"""A number, 0 or more, that was measured."""
Budget = Annotated[float, PlainValidator(_budget), _OR_NULL]
"""ε · 255."""


def mean_of(values: Iterable[float]) -> float:
    """The mean of numbers, NaN left out; NaN where nothing is left."""
    measured = [value for value in values if not math.isnan(value)]
    return sum(measured) / len(measured) if measured else math.nan
