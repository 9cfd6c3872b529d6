"""What a command of ``seat`` is, and the kinds of its options."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Command(NamedTuple):
    """One command.

    Attributes:
        help: what it does, in one line.
        options: gives a parser the command's options.
        run: does it; imports only then what it needs, as listing the commands must not load torch.
        places: what the words after the command are, of a command that starts a run: options of the run follow them,
            and all of these words reach it as ``further``. Empty for a command whose options are its own only.
    """

    help: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]
    places: str = ""


def path(text: str) -> Path:
    """An option's path: a name that a file may have, not a link in a circle."""
    try:
        if text.strip():
            Path(text).resolve()
            return Path(text)
    except (OSError, RuntimeError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} leads nowhere ({error})") from None
    raise argparse.ArgumentTypeError("a path is not empty")


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """An option's whole number."""

    def number(text: str) -> int:
        if not re.fullmatch("-?[0-9]{1,20}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number, {least} to {most}")
        return int(text)

    return number


def minutes(text: str) -> float:
    """An option's time: a finite number of minutes, above 0."""
    try:
        if 0 < float(text) < math.inf:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes above 0")
