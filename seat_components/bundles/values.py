"""Refusing a config value of the wrong kind, which would otherwise fail deep inside a component."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, TypeAlias

import torch

from seat_components.refusals import refuse

# Whether a value will do, and the words for what will.
Rule: TypeAlias = tuple[Callable[[Any], bool], str]


def _is_whole(value: Any, least: float = -math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(_is_whole(n, 1) for n in value)


def _is_writable(value: Any) -> bool:
    """Whether ``value`` is a folder to write in, or one that can be made; nothing is made here."""
    if not isinstance(value, str | Path):
        return False
    there = next(path for path in (Path(value).absolute(), *Path(value).absolute().parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _is_device(value: Any) -> bool:
    """Whether this machine has the device that ``value`` names."""
    try:
        device = torch.device(value)
        torch.empty(0, device=device)
    except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError):
        return False
    return device.type != "meta"


WHOLE: Rule = (_is_whole, "a whole number")
POSITIVE: Rule = (lambda value: _is_whole(value, 1), "a whole number, 1 or more")
COUNT: Rule = (lambda value: _is_whole(value, 0), "a whole number, 0 or more")
NUMBER: Rule = (_is_number, "a number")
SIZE: Rule = (_is_size, "three whole numbers of voxels, each 1 or more, such as [32,48,32]")
MODES = ("default", "recompute", "checkpoint")

# Where only the kind is asked for here, the component that gets the value knows its range and refuses others.
RULES: Mapping[str, Rule] = {
    "epochs": POSITIVE,
    "batch_size": WHOLE,
    "learning_rate": (lambda value: _is_number(value) and 0 <= value < math.inf, "a finite number, 0 or more"),
    "eps_255": NUMBER,
    "step_ratio": NUMBER,
    "g_max": NUMBER,
    "update_every": NUMBER,
    "relax": NUMBER,
    "patch_size": SIZE,
    "val_patch_size": SIZE,
    "val_interval": POSITIVE,
    "num_workers": COUNT,
    "cache_rate": (lambda value: _is_number(value) and 0 <= value <= 1, "a share of the cases, 0 to 1"),
    "cache_dir": (lambda value: value is None or isinstance(value, str | Path), "a folder, or null for none"),
    "output_dir": (_is_writable, "a folder that can be made and written in"),
    "ckpt_dir": (_is_writable, "a folder that can be made and written in"),
    "accumulate": (lambda value: value is None or _is_whole(value), "a whole number, or null to choose by itself"),
    "memory": (lambda value: value is None or value in MODES, f"one of {', '.join(MODES)}, or null"),
    "seed": (lambda value: _is_whole(value, 0) and value < 2**32, "a whole number, 0 to 2³²-1"),
    "stop_after_minutes": (lambda value: value is None or _is_number(value), "a number, or null for no limit"),
    "device": (_is_device, "a device of this machine, such as cpu or, with a GPU, cuda:0"),
    "attack_eps_255": (
        lambda value: _is_number(value) or (isinstance(value, list | tuple) and all(map(_is_number, value))),
        "a list of numbers, such as [2,4,8]",
    ),
}


def check_values(**values: Any) -> None:
    """Refuse values that are not of their option's kind.

    Args:
        values: what the options of that name in ``RULES`` are set to.

    Raises:
        RefusalError: naming every wrong option, its value and what it must be.
    """
    wrong = [
        f"{name} is {value!r}, but it must be {RULES[name][1]}"
        for name, value in values.items()
        if not RULES[name][0](value)
    ]
    if wrong:
        refuse("\n       ".join(wrong))
