"""The kinds that a config's values are of: whether a value will do, and the words for what will."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import torch

from seat_components.files import is_there

# Whether a value will do, and the words for what will.
Rule: TypeAlias = tuple[Callable[[Any], bool], str]

_HUGE = 10**9
_LARGEST_SIZE = 10_000
_LONGEST_NAME, _LONGEST_PATH = 255, 4095  # bytes, of Linux


def whole(least: int, most: int = _HUGE) -> Rule:
    """A whole number from ``least`` to ``most``."""
    words = f"a whole number, {least} to {most}" if most != _HUGE else f"a whole number, {least} or more"
    return lambda value: _is_whole(value, least, most), "a whole number" if least == -_HUGE else words


def _is_whole(value: Any, least: int, most: int = _HUGE) -> bool:
    """Whether ``value`` is an int, and no bool, in the range."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_number(value: Any) -> bool:
    """Whether ``value`` is a finite number of a size that occurs."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e15 < value < 1e15


def _is_text(value: Any) -> bool:
    """Whether ``value`` is a text of one line."""
    return isinstance(value, str) and len(value.strip()) > 0 and len(value) <= _LONGEST_PATH and value.isprintable()


def _is_path(value: Any) -> bool:
    """Whether a config may name a file or folder so.

    ``~`` is the shell's, to which nobody here gives a meaning; of ``#`` MONAI makes ``::``, in every text of a config.
    """
    if not isinstance(value, str | Path) or not str(value).strip() or str(value).startswith("~"):
        return False
    if "#" in str(value) or "::" in str(value):
        return False
    name = str(value).encode("utf-8", "replace")
    return (
        b"\0" not in name
        and len(name) <= _LONGEST_PATH
        and all(len(part) <= _LONGEST_NAME for part in name.split(os.sep.encode()))
    )


def _is_writable(value: Any) -> bool:
    """Whether ``value`` is a folder to write in, or one that can be made; nothing is made here."""
    if not _is_path(value):
        return False
    path = Path(value).absolute()
    there = next(place for place in (path, *path.parents) if is_there(place))
    try:
        return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    except OSError:
        return False


def is_size(value: Any, least: int = 1) -> bool:
    """Whether ``value`` lists three numbers of voxels."""
    return (
        isinstance(value, list | tuple) and len(value) == 3 and all(_is_whole(n, least, _LARGEST_SIZE) for n in value)
    )


def is_device(value: Any) -> bool:
    """Whether this machine has the device that ``value`` names."""
    if isinstance(value, bool) or not isinstance(value, str | int | torch.device):
        return False
    try:
        device = torch.device(value)
        torch.empty(0, device=device)
    except Exception:  # each kind of device has errors of its own
        return False
    return device.type != "meta"


def _are_names(value: Any) -> bool:
    """Whether ``value`` is an object {"0": first, "1": second, …} of distinct names."""
    if not isinstance(value, dict) or list(value) != [str(number) for number in range(len(value))]:
        return False
    return all(map(_is_text, value.values())) and len(set(value.values())) == len(value) > 0


def are_budgets(value: Any) -> bool:
    """Whether ``value`` is a number, or a list of numbers."""
    return is_number(value) or (isinstance(value, list | tuple) and all(map(is_number, value)))


def is_interval(value: Any) -> bool:
    """Whether ``value`` is two positive numbers, the smaller first."""
    return (
        isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value)) and 0 < value[0] < value[1]
    )


def names_series(value: Any) -> bool:
    """Whether ``value`` names DICOM series; a command line reads some descriptions as numbers."""
    if isinstance(value, list | tuple):
        return len(value) > 0 and all(map(_is_text, value))
    return value is None or is_number(value) or _is_text(value)


def is_expression(value: Any) -> bool:
    """Whether a config computes this: an expression, or a reference to another id or file."""
    return isinstance(value, str) and value[:1] in ("$", "@", "%")


def _is_component(value: Any) -> bool:
    """Whether ``value`` describes a component, or where it comes from."""
    return is_expression(value) or (isinstance(value, dict) and isinstance(value.get("_target_"), str))


def or_none(rule: Rule, without: str) -> Rule:
    """``rule``, or null, which means ``without``."""
    check, words = rule
    return lambda value: value is None or check(value), f"{words}, or null {without}"


INTEGER = whole(-_HUGE)
POSITIVE = whole(1)
COUNT = whole(0)
NUMBER: Rule = (is_number, "a number")
TEXT: Rule = (_is_text, "a text of one line")
FLAG: Rule = (lambda value: isinstance(value, bool), "True or False")
HOME = " (with the home folder written out, not as ~, and without #, of which MONAI makes ::)"
PATH: Rule = (_is_path, f"a path{HOME}")
WRITABLE: Rule = (_is_writable, f"a folder that can be made and written in{HOME}")
SIZE: Rule = (is_size, "three whole numbers of voxels, each 1 or more, such as [32,48,32]")
NAMES: Rule = (_are_names, 'an object of distinct names by number, {"0": first, "1": second, …}')
COMPONENT: Rule = (_is_component, 'a component, {"_target_": its class or function, …its arguments}, or an expression')
LIST: Rule = (lambda value: is_expression(value) or isinstance(value, list), "a list, or an expression")
GROUP: Rule = (lambda value: isinstance(value, dict), "an object: a part of it is changed by --id#part")
STEPS: Rule = (
    lambda value: isinstance(value, list) and all(map(is_expression, value)),
    "a list of expressions, each beginning with $, @ or %",
)
