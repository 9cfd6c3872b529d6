"""The last words of a bundle run whose config cannot be built: the reason, in place of MONAI's chain of errors."""

from __future__ import annotations

import os
import re
import sys
import traceback
from pathlib import Path
from types import TracebackType

from seat_components.refusals import reason

VARIABLE = "SEAT_TRACEBACK"
"""Set in the environment, it keeps Python's own words."""


def shorten_config_errors() -> None:
    """From now on, end on an error of the config with one line and status 1; errors of a running engine stay whole."""
    sys.excepthook = _last_words


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    what = None if os.environ.get(VARIABLE) else what_failed(error)
    if what is None:
        sys.__excepthook__(kind, error, trace)
        return
    advice = f"({VARIABLE}=1 in the environment shows where.)"
    print(f"\nERROR: {what} cannot be built: {reason(error)}\n       {advice}", file=sys.stderr)


def what_failed(error: BaseException) -> str | None:
    """What of a config could not be built; None where the error is of another kind, as of a running engine."""
    text = str(error)
    if built := re.match(r"Failed to instantiate component '([^']*)'", text):
        return built[1]
    if text.startswith("Failed to evaluate"):
        return None if ".run()" in text else "an expression of the config"
    frames = traceback.extract_tb(error.__traceback__)
    return "the config" if frames and Path(frames[-1].filename).parts[-3:-1] == ("monai", "bundle") else None
