"""Refusing a config value of the wrong kind, which would otherwise fail deep inside a component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seat_components.refusals import refuse
from seat_components.running.options import OPTIONS

_LONGEST = 200


def check_values(**values: Any) -> None:
    """Refuse values that are not of their option's kind.

    Args:
        values: what the options of that name in ``OPTIONS`` are set to.

    Raises:
        RefusalError: naming every wrong option, its value and what it must be.
    """
    if wrong := value_faults(values):
        refuse("\n       ".join(wrong))


def value_faults(values: Mapping[str, Any]) -> list[str]:
    """One line for each value that is not of its option's kind."""
    return [
        f"{name} is {shown(value)}, but it must be {OPTIONS[name].words}"
        for name, value in values.items()
        if not OPTIONS[name].check(value)
    ]


def shown(value: Any) -> str:
    """A value as it is named in a refusal."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
