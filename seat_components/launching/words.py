"""The words that follow a command which starts a run: places first, then options of the run, handed on as they are."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection, Sequence
from itertools import takewhile

from seat_components.refusals import refuse


def parted(words: Sequence[str], names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The places that the first words name, and the options after them.

    Args:
        words: as typed.
        names: what the places are called, such as ``("BUNDLE", "DATA")``.

    Returns:
        name → word, for as many names as there are words; and the words from the first option on.

    Raises:
        RefusalError: if there are more places than names.
    """
    places = list(takewhile(lambda word: not word.startswith("-"), words))
    if len(places) > len(names):
        refuse(f"{places[len(names)]!r} is one word too many: only {' and '.join(names)} stand before the options.")
    return dict(zip(names, places, strict=False)), list(words[len(places) :])


def check_options(words: Sequence[str], taken: Collection[str]) -> None:
    """Refuse what is no option for a run, or would undo what the command itself says.

    Args:
        words: ``--id value``, ``--id=value`` or ``--id`` alone, any number of them.
        taken: the ids that the command has set.

    Raises:
        RefusalError: naming the first word that will not do.
    """
    is_value = False
    for word in words:
        is_option = word.startswith("--") and len(word) > 2
        if not is_option and not is_value:
            refuse(
                f"{word!r} is neither an option nor the value of one. Options follow as --id value, after all places."
            )
        name = word[2:].split("=", 1)[0].replace("-", "_")
        if is_option and name in taken:
            refuse(f"--{name} is what this command sets by itself: see its --help, or use python -m monai.bundle run.")
        is_value = is_option and "=" not in word


def values_of(words: Sequence[str], known: Collection[str]) -> dict[str, object]:
    """The values of options that are not handed on: numbers and lists as Python writes them, all else as text.

    Args:
        words: ``--id value``, ``--id=value``, or ``--id`` alone, which is True.
        known: the ids that there are.

    Raises:
        RefusalError: for what is no option, or another id, with the nearest.
    """
    check_options(words, ())
    values: dict[str, object] = {}
    name = ""
    for word in words:
        if not (word.startswith("--") and len(word) > 2):
            values[name] = _value(word)
            continue
        name, equals, value = word[2:].partition("=")
        name = name.replace("-", "_")
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            refuse(f"There is no option --{name} here; the nearest is --{nearest[0]}. There are {', '.join(known)}.")
        values[name] = _value(value) if equals else True
    return values


def _value(word: str) -> object:
    words = {"null": None, "true": True, "false": False}
    if word in words:
        return words[word]
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return word
