"""Refusing bad input so that a person sees the reason, whatever program called us."""

from __future__ import annotations

import multiprocessing
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn


class RefusalError(ValueError):
    """Input that must not be used. The message names the file or value, the rule, and what to do.

    Of a message that comes from a loader's worker, with the worker's traceback before it, the last words are kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(spoken_in(message) or message)


class SignalExit(SystemExit):
    """The program ends because a signal asked for it; whoever meets an exit must let this one through."""


def refuse(message: str) -> NoReturn:
    """Stop with ``message``.

    Under ``python -m monai.bundle run`` every exception raised while a config is resolved is wrapped in a
    ``RuntimeError`` about the config expression, which buries the reason; there, and only there, the program
    exits with the message as its last lines. From threads and loader workers, which an exit ends without a word to
    whoever waits for them, the error goes up to the program (see ``running.ending``).

    Raises:
        RefusalError: in any other program, thread or worker.
        SystemExit: under ``monai.bundle run``.
    """
    if is_bundle_run() and _is_the_program():
        raise SystemExit(f"\nERROR: {message}")
    raise RefusalError(message)


def spoken_in(text: str) -> str:
    """The refusal that a traceback tells of; empty if ``text`` is none."""
    found = re.search(
        r"^Caught .*^[\w.]*RefusalError: (.*?)(?=\n\n(?:The above|During) |\Z)", text, re.DOTALL | re.MULTILINE
    )
    return found[1].strip() if found else ""


def _is_the_program() -> bool:
    return threading.current_thread() is threading.main_thread() and multiprocessing.parent_process() is None


def is_bundle_run() -> bool:
    """Whether this process is ``python -m monai.bundle run`` (also under ``torchrun -m``)."""
    program = Path(sys.argv[0]).parts[-3:]
    return program == ("monai", "bundle", "__main__.py") and sys.argv[1:2] == ["run"]


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on to the first."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        yield cause
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__


def reason(error: BaseException) -> str:
    """The first cause of an error in one line; of a missing package, how to install it."""
    chain = list(causes(error))
    texts = [str(one) for one in chain]
    if missing := _first(r"No module named '(\w+)|package `(\w+)", texts):
        package = missing[1] or missing[2]
        return f"{package} is not installed: pip install {package}"
    if unknown := _first(r"referring item `(@[^`]*)`", texts):
        return f"there is no id {unknown[1]}"
    lines = texts[-1].strip().splitlines()
    return f"{type(chain[-1]).__name__}: {lines[0].strip()}" if lines else type(chain[-1]).__name__


def _first(pattern: str, texts: list[str]) -> re.Match[str] | None:
    return next((found for text in texts if (found := re.search(pattern, text))), None)
