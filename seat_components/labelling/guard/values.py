"""Reading what a request says: each field once, known, and of its kind; what passed is written anew."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from seat_components.labelling.guard.endpoints import JsonRecord, KnownFields, of_model
from seat_components.labelling.guard.kinds import PARAMETER, Context, Kind, RefusedError, is_free


def check(name: str, value: Any, kind: Kind, context: Context) -> Any:
    """``value``, if it is of its kind.

    Raises:
        RefusedError: with the field's name and the kind's rule, if it is not.
    """
    if not kind.accepts(value, context):
        raise RefusedError(400, name, kind.rule)
    return value


def read_query(query: bytes, fields: KnownFields | None, context: Context) -> dict[str, Any]:
    """The fields of a URL, without the empty ones, which mean what is left out.

    Raises:
        RefusedError: if one is unknown, stands there twice, or is not of its kind.
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=50,
        )
    except ValueError:
        raise RefusedError(400, "the URL", "must hold name=value fields, at most 50, in UTF-8") from None
    values = unique(pairs, "the URL")
    known = dict.fromkeys(values, PARAMETER) if fields is None else fields
    for name in values:
        check("a field of the URL", name, PARAMETER, context)
    require_known(values, known)
    return {
        name: check(name, known[name].read(text), known[name], context)
        for name, text in values.items()
        if text or fields is None
    }


def read_json_record(name: str, text: str | bytes, record: JsonRecord, context: Context) -> dict[str, Any]:
    """The JSON object that ``text`` is, without empty texts, which mean what is left out.

    Raises:
        RefusedError: if it is none, or one of its fields is unknown, stands there twice, or is not of its kind.
    """
    value = _loads(name, text)
    if not isinstance(value, dict):
        raise RefusedError(400, name, "must be a JSON object")
    if record.fields is None:
        rule = "must be a JSON object, at most 8 deep, of plain keys and of texts that begin with none of $ @ %"
        return dict(check(name, value, Kind(rule, lambda item, _: is_free(item)), context))
    return _read_fields(value, record, context)


def _read_fields(values: Mapping[str, Any], record: JsonRecord, context: Context) -> dict[str, Any]:
    known = record.fields or {}
    models = context.served.info().get(record.section, {}) if record.section else {}
    require_known(values, {**known, **models})
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name in models:
            if not isinstance(value, dict):
                raise RefusedError(400, name, "must be a JSON object of this model's fields")
            read[name] = _read_fields(value, JsonRecord(known), of_model(context, record.section or "", name))
        elif value != "":
            read[name] = check(name, value, known[name], context)
    return read


def unique(pairs: Iterable[tuple[str, Any]], where: str) -> dict[str, Any]:
    """The pairs as a dictionary.

    Raises:
        RefusedError: if a name stands there twice.
    """
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise RefusedError(400, where, f"must state {name[:100]!r} once")
        values[name] = value
    return values


def require_known(values: Iterable[str], known: Iterable[str]) -> None:
    """Let pass, or raise RefusedError, names among ``known``."""
    for name in values:
        if name not in known:
            raise RefusedError(400, name[:100], f"is no field of this call; it takes {', '.join(known) or 'none'}")


def _loads(name: str, text: str | bytes) -> Any:
    try:
        return json.loads(
            text.decode("utf-8") if isinstance(text, bytes) else text,
            object_pairs_hook=lambda pairs: unique(pairs, name),
        )
    except (ValueError, RecursionError):
        raise RefusedError(400, name, "must be JSON in UTF-8, of finite numbers, nested a few levels deep") from None
