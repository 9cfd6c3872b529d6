"""A template's files, filled by Jinja2; in those of JSON, ``"{{ … }}"`` is a value of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined, Undefined, select_autoescape
from jinja2.ext import Extension

from seat_components.files import GIB
from seat_components.records.attacked import main_budget
from seat_components.records.registered import AttackedFigures, RegisteredWeights

# What several files say in the same words; itself no file of a bundle.
_WORDS = "words.jinja"
_QUOTED = re.compile(r'(?P<indent>[ \t]*)(?P<key>"[^"\n]+": )?"\{\{(?P<value>[^"\n]+?)\}\}"')


class _JsonValues(Extension):
    """In a JSON file, an expression with nothing else between the quotes is its value as JSON, whatever its type.

    So the template's configs are JSON themselves, and a text may hold any character.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        """The source in Jinja2's own words."""
        return _QUOTED.sub(_as_json, source) if name and name.endswith(".json") else source


def _as_json(match: re.Match[str]) -> str:
    indent, key = match["indent"], match["key"] or ""
    return f"{indent}{key}{{{{ ({match['value']}) | json({len(indent)}) }}}}"


@cache
def template(loader: BaseLoader | None = None) -> Environment:
    """The template of a bundle; a name that has no value is an error.

    Args:
        loader: where its files are; the package's own by default.
    """
    environment = Environment(
        loader=loader or PackageLoader("seat_components.bundles", "template"),
        extensions=[_JsonValues],
        undefined=StrictUndefined,
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "json": _json,
        "numbered": lambda names: ", ".join(f"{number} {name}" for number, name in enumerate(names)),
        "sizes": lambda sizes: " × ".join(f"{size:g}" for size in sizes),
        "shortest": lambda value: f"{value:g}",
        "dice": lambda value: f"{value:.4f}",
        "percent": lambda value: f"{value:.1%}",
        "bytes_in_words": _bytes_in_words,
        "duration": _duration,
        "shown_attacks": _shown_attacks,
    }
    return environment


def fill(files: Environment, values: Mapping[str, Any]) -> dict[str, str]:
    """All files of a template with ``values`` in them, but its words and what comes out empty: relative path → text.

    Raises:
        jinja2.UndefinedError: for a name that has no value.
    """
    names = set(files.list_templates())
    words = files.get_template(_WORDS).make_module(dict(values)) if _WORDS in names else None
    filled = {name: files.get_template(name).render(values, words=words) for name in sorted(names - {_WORDS})}
    return {name: text for name, text in filled.items() if text}


def _json(value: Any, indent: int = 0) -> str:
    """JSON on one line, but for a list of objects: there, a line each."""
    if isinstance(value, Undefined):
        return str(value)  # which is its error
    if isinstance(value, list) and value and isinstance(value[0], dict):
        margin = " " * indent
        lines = ",\n".join(f"{margin}    {json.dumps(item, ensure_ascii=False)}" for item in value)
        return f"[\n{lines}\n{margin}]"
    return json.dumps(value, ensure_ascii=False)


def _shown_attacks(result: RegisteredWeights) -> AttackedFigures:
    """What a picture shows of a result: the protocol that was put there last, at one budget."""
    one: AttackedFigures = (result, *result.more)[-1]
    eps = main_budget([row.eps_255 for row in one.attacked])
    return one.model_copy(update={"attacked": tuple(row for row in one.attacked if row.eps_255 in (0, eps))})


def _duration(seconds: float) -> str:
    """Hours, or minutes below two hours, to the whole one."""
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _bytes_in_words(size: int) -> str:
    """Bytes in words, to two digits or more."""
    if size < GIB // 10:
        return f"{size / 2**20:.0f} MiB"
    return f"{size / GIB:.0f} GiB" if size >= 10 * GIB else f"{size / GIB:.1f} GiB"
