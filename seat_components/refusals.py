"""Refusing bad input so that a person sees the reason, whatever program called us."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn


class RefusalError(ValueError):
    """Input that must not be used. The message names the file or value, the rule, and what to do."""


def refuse(message: str) -> NoReturn:
    """Stop with ``message``.

    Under ``python -m monai.bundle run`` every exception raised while a config is resolved is wrapped in a
    ``RuntimeError`` about the config expression, which buries the reason; there, and only there, the program
    exits with the message as its last lines.

    Raises:
        RefusalError: in any other program.
        SystemExit: under ``monai.bundle run``.
    """
    if is_bundle_run():
        raise SystemExit(f"\nERROR: {message}")
    raise RefusalError(message)


def is_bundle_run() -> bool:
    """Whether this process is ``python -m monai.bundle run`` (also under ``torchrun -m``)."""
    program = Path(sys.argv[0]).parts[-3:]
    return program == ("monai", "bundle", "__main__.py") and sys.argv[1:2] == ["run"]
