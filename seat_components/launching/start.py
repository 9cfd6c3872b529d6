"""Becoming a run: its command line is said, and takes this process's place."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from seat_components.files import is_file
from seat_components.launching.line import bundle_command
from seat_components.launching.words import check_options
from seat_components.refusals import refuse


def start_run(bundle: Path, configs: Sequence[str], values: Mapping[str, object], options: Sequence[str]) -> None:
    """Print the command that runs ``configs`` of a bundle, and become it: signals and the exit status are the run's.

    Its working folder stays the caller's, so that relative paths among the options are the caller's too.

    Args:
        bundle: the bundle's folder.
        configs: names without ``.json``.
        values: id → value; paths are absolute.
        options: further words, handed on as they are.

    Raises:
        RefusalError: if the bundle lacks a config, or an option is none.
    """
    folder = bundle.absolute()
    for name in configs:
        if not is_file(folder / "configs" / f"{name}.json"):
            there = sorted(file.stem for file in (folder / "configs").glob("*.json"))
            refuse(f"{bundle} has no configs/{name}.json; it has {', '.join(there)}.")
    check_options(options, {"config_file", "bundle_root", *values})
    words = [*bundle_command(configs, values, folder), *options]
    print(shlex.join(words), flush=True)
    sys.stderr.flush()
    os.execv(words[0], words)  # noqa: S606 - the interpreter that runs this, and no shell
