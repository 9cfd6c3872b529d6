"""Refusing a misspelt override on the command line, which MONAI would silently accept."""

from __future__ import annotations

import ast
import difflib
import inspect
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import monai.bundle

from seat_components.refusals import is_bundle_run, refuse

TRACKING_IDS = frozenset({"tracking_uri", "experiment_name", "run_name", "save_execute_config"})


def check_overrides() -> None:
    """Refuse an override of an id that none of the named configs has.

    Config expressions never see the raw config, so this reads the command line; it does so only under
    ``python -m monai.bundle run``, and does nothing in any other program.

    Raises:
        SystemExit: naming the id and the nearest one that exists.
    """
    if not is_bundle_run():
        return
    arguments = sys.argv[2:]
    names = _option_names(arguments)
    known = _run_arguments() | TRACKING_IDS | _config_ids(_option_values(arguments, "config_file"))
    if len(known) == len(_run_arguments() | TRACKING_IDS):
        return
    unknown = [name for name in names if name.lstrip("+").split("#")[0].split("::")[0] not in known]
    if unknown:
        refuse("\n       ".join(_advice(name, known) for name in unknown))


def _advice(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    hint = f"Did you mean --{nearest[0]}?" if nearest else "See the top-level ids of its configs/*.json."
    return f"--{name} is not an id of this bundle. {hint}"


def _option_names(arguments: list[str]) -> list[str]:
    return [argument[2:].split("=", 1)[0] for argument in arguments if argument.startswith("--") and len(argument) > 2]


def _option_values(arguments: list[str], name: str) -> list[str]:
    """The value of ``--name value`` or ``--name=value``: one path, or a list of them in Python's or JSON's notation."""
    for index, argument in enumerate(arguments):
        if argument == f"--{name}" and index + 1 < len(arguments):
            return _as_list(arguments[index + 1])
        if argument.startswith(f"--{name}="):
            return _as_list(argument.split("=", 1)[1])
    return []


def _as_list(value: str) -> list[str]:
    if not value.lstrip().startswith(("[", "(")):
        return value.split(",")
    try:
        return [str(item) for item in ast.literal_eval(value)]
    except (SyntaxError, ValueError):
        # The shell may have taken the quotes away: [a.json,b.json].
        return [item.strip(" '\"") for item in value.strip("[]() ").split(",")]


def _config_ids(files: list[str]) -> set[str]:
    ids: set[str] = set()
    for file in files:
        path = Path(file)
        if path.suffix == ".json" and path.is_file():
            ids |= {
                key.split("#")[0].split("::")[0].lstrip("+") for key in json.loads(path.read_text(encoding="utf-8"))
            }
    return ids


def _run_arguments() -> set[str]:
    return set(inspect.signature(monai.bundle.run).parameters) - {"override"}
