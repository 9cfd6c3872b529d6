"""The command line of ``python -m monai.bundle run`` for configs of a bundle and values of their ids."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

METHOD_OVERLAYS = ("free", "clean", "random", "pgd", "nfgsm", "growing", "phased")
"""The overlays that are methods of training; train.json alone is SEAT."""


def bundle_command(configs: Sequence[str], overrides: Mapping[str, object], bundle: Path | None = None) -> list[str]:
    """The command that runs ``configs`` (names without ``.json``).

    Args:
        configs: in the order in which they are read.
        overrides: id → value.
        bundle: the bundle's folder, absolute, for a command that may be started anywhere; without it the command is to
            be started in the bundle's folder.
    """
    folder = Path("configs") if bundle is None else bundle / "configs"
    files = [str(folder / f"{name}.json") for name in configs]
    words = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files)]
    if bundle is not None:
        overrides = {"bundle_root": bundle, **overrides}
    for name, value in overrides.items():
        words += [f"--{name}", _text(value)]
    return [*words, "--logging_file", str(folder / "logging.conf")]


def _text(value: object) -> str:
    # MONAI takes None for not given, and null for a text: an expression gives it.
    if value is None:
        return "$None"
    # Of flags, Fire knows True and False, as Python writes them.
    return str(value) if isinstance(value, str | Path | bool) else json.dumps(value)
