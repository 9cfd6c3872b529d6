"""What was given on the command line of ``monai.bundle run``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import fire
import monai.bundle
from fire.parser import SeparateFlagArgs
from monai.bundle import update_kwargs

from seat_components.refusals import is_bundle_run

RUN = inspect.signature(monai.bundle.run)
RUN_OPTIONS = frozenset(RUN.parameters) - {"override"}
"""The options of ``monai.bundle.run`` itself."""
TRACKING_IDS = frozenset({"tracking_uri", "experiment_name", "run_name", "save_execute_config"})
"""Ids that MONAI adds to a config where a run is tracked."""


@dataclass(frozen=True)
class Given:
    """What a command line gives to ``monai.bundle.run``.

    Attributes:
        files: its config files, in their order.
        values: id → value, for every id of a config that it overrides.
        options: the other options, MONAI's own and those of its tracking.
    """

    files: tuple[str, ...]
    values: Mapping[str, Any]
    options: Mapping[str, Any]


def given() -> Given | None:
    """What this process's command line gives, its ``--args_file`` included; None in any other program.

    Fire reads it for MONAI, and is asked here in the same way: it alone knows that ``-epochs 3`` and ``--val-interval
    2`` are options, and which value a text stands for.
    """
    if not is_bundle_run():
        return None
    taken: dict[str, Any] = {}

    @wraps(monai.bundle.run)
    def take(*positional: Any, **named: Any) -> None:
        taken.update(RUN.bind(*positional, **named).arguments)

    words, _ = SeparateFlagArgs(sys.argv[2:])
    fire.Fire(take, command=words, name="monai.bundle run")
    override = taken.pop("override", {})
    everything = update_kwargs(taken.pop("args_file", None), **override, **taken)
    # MONAI takes None for not given, and lets it go; whoever wrote it meant something.
    everything |= {name: None for name, value in override.items() if value is None}
    files = everything.pop("config_file", None) or ()
    values = {name: value for name, value in everything.items() if name not in RUN_OPTIONS | TRACKING_IDS}
    options = {name: value for name, value in everything.items() if name not in values}
    return Given((files,) if isinstance(files, str) else tuple(map(str, files)), values, options)
