"""The last words of a bundle run whose config cannot be built: the reason, in place of MONAI's chain of errors."""

from __future__ import annotations

import errno
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from seat_components.refusals import RefusalError, causes, reason, spoken_in

_VARIABLE = "SEAT_TRACEBACK"
"""Set in the environment, it keeps Python's own words."""
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""A full disk or quota, a limit of a file's size, and a file system that became read-only."""


def shorten_config_errors() -> None:
    """From now on, end on an error of the config, or on a full disk, with one line and status 1.

    Other errors of a running engine stay whole.
    """
    sys.excepthook = _last_words
    threading.excepthook = _silence_full_disk


def _silence_full_disk(arguments: threading.ExceptHookArgs) -> None:
    """A thread that writes for another hands its error on to it; any other error of a thread is printed as ever."""
    if arguments.exc_value is None or _full_or_closed(causes(arguments.exc_value)) is None:
        threading.__excepthook__(arguments)


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        print("\nEnded by Ctrl-C.", file=sys.stderr)
        return
    what = None if os.environ.get(_VARIABLE) else _what_happened(error)
    if what is None:
        sys.__excepthook__(kind, error, trace)
        return
    advice = f"({_VARIABLE}=1 in the environment shows where.)"
    print(f"\nERROR: {what}\n       {advice}", file=sys.stderr)


def _what_happened(error: BaseException) -> str | None:
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, RefusalError):
            return str(cause)
        if told := spoken_in(str(cause)):  # by a transform in a loader's worker
            return told
    if (fault := _full_or_closed(chain)) is not None:
        return fault
    what = what_failed(error)
    return None if what is None else f"{what} cannot be built: {reason(error)}"


def _full_or_closed(chain: Iterable[BaseException]) -> str | None:
    """Which file cannot be written, and why, if that is among an error's causes; None if it is not."""
    seen = next((cause for cause in chain if isinstance(cause, OSError) and cause.errno in _UNWRITABLE), None)
    if seen is None:
        return None
    frames = traceback.extract_tb(seen.__traceback__)
    # Not every part of Python says which file it was.
    parts = Path(frames[-1].filename).parts if frames else ()
    package = next((name for before, name in pairwise(parts) if before == "site-packages"), "")
    file = seen.filename or (f"A file of {package}'s" if package else "A file")
    return f"{file} cannot be written: {seen.strerror}. What was written before is as it was."


def what_failed(error: BaseException) -> str | None:
    """What of a config could not be built; None where the error is of another kind, as of a running engine."""
    text = str(error)
    if built := re.match(r"Failed to instantiate component '([^']*)'", text):
        return built[1]
    if text.startswith("Failed to evaluate"):
        return None if ".run()" in text else "an expression of the config"
    frames = traceback.extract_tb(error.__traceback__)
    return "the config" if frames and Path(frames[-1].filename).parts[-3:-1] == ("monai", "bundle") else None
