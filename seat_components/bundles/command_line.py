"""The options among the words of a command, as MONAI's command line reads them."""

from __future__ import annotations

import ast


def option_names(arguments: list[str]) -> list[str]:
    """The names of all ``--name``; the command line takes a dash in them for an underscore."""
    return [
        argument[2:].split("=", 1)[0].replace("-", "_")
        for argument in arguments
        if argument.startswith("--") and len(argument) > 2
    ]


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
