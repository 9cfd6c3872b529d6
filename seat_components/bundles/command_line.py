"""The options among the words of a command, as MONAI's command line reads them."""

from __future__ import annotations

import ast
from typing import Any

from fire.parser import DefaultParseValue


def option_names(arguments: list[str]) -> list[str]:
    """The names of all ``--name``; the command line takes a dash in them for an underscore."""
    return [
        argument[2:].split("=", 1)[0].replace("-", "_")
        for argument in arguments
        if argument.startswith("--") and len(argument) > 2
    ]


def option_pairs(arguments: list[str]) -> dict[str, Any]:
    """The value of each option, as Fire reads it: of Python's literals, or else the text; True where none follows."""
    pairs: dict[str, Any] = {}
    for index, argument in enumerate(arguments):
        if not argument.startswith("--") or len(argument) == 2:
            continue
        option, equals, value = argument[2:].partition("=")
        follows = arguments[index + 1 : index + 2]
        if equals or (follows and not _is_option(value := follows[0])):
            pairs[option.replace("-", "_")] = DefaultParseValue(value)
        else:
            pairs[option.replace("-", "_")] = True
    return pairs


def words_alone(arguments: list[str]) -> list[str]:
    """The words that are no option and no option's value; Fire takes them for the ids of what to run."""
    words, belongs = [], False
    for argument in arguments:
        if _is_option(argument):
            belongs = "=" not in argument
        elif belongs:
            belongs = False
        else:
            words.append(argument)
    return words


def _is_option(argument: str) -> bool:
    return argument.startswith("--") or (argument[:1] == "-" and argument[1:2].isalpha())


def option_values(arguments: list[str], name: str) -> list[str]:
    """The value of ``--name value`` or ``--name=value``: one path, or a list of them in Python's or JSON's notation.

    As for Fire, which reads MONAI's command line, ``-`` in an option's name is ``_``.
    """
    for index, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option.replace("-", "_") != f"__{name}":
            continue
        if equals:
            return _as_list(value)
        if index + 1 < len(arguments):
            return _as_list(arguments[index + 1])
    return []


def _as_list(value: str) -> list[str]:
    if not value.lstrip().startswith(("[", "(")):
        return value.split(",")
    try:
        return [str(item) for item in ast.literal_eval(value)]
    except (SyntaxError, ValueError):
        # The shell may have taken the quotes away: [a.json,b.json].
        return [item.strip(" '\"") for item in value.strip("[]() ").split(",")]
