"""What all records share: models that validate strictly, are refused by file, place and rule, and are written whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from seat_components.files import read_json_object, write_text_atomically
from seat_components.refusals import refuse

_ADVICE = "Write it again, or move it out of the run's folder."


class Record(BaseModel):
    """An object with named fields in a file. A field that nobody set is not written; none is turned into another kind.

    A rule's words (of a ``ValueError`` in a validator) begin with "is" or "has" where they are about the value itself,
    and with names where they are about several.
    """

    # Infinity stays one, so that writing it fails: it is not null, which was not measured.
    model_config = ConfigDict(strict=True, frozen=True, ser_json_inf_nan="constants")

    _order: ClassVar[tuple[str, ...]] = ()
    """Fields that stand first in the file, where classes state them in another order."""

    def as_json(self) -> dict[str, Any]:
        """What the file holds, of plain values."""
        values = self.model_dump(mode="json", exclude_unset=True)
        return {name: values[name] for name in (*self._order, *values) if name in values}

    def said(self) -> dict[str, Any]:
        """The fields that were set, by name."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}

    def text(self) -> str:
        """The file's text, without the end of its last line."""
        return json.dumps(self.as_json(), indent=1, allow_nan=False)


class KeptRecord(Record):
    """A record that is written again as it was read, with fields that this version does not know."""

    model_config = ConfigDict(extra="allow")


class ClosedRecord(Record):
    """A record that a person writes: a field that there is not is a mistake."""

    @model_validator(mode="before")
    @classmethod
    def _has_known_fields(cls, values: Any) -> Any:
        unknown = sorted(set(values) - set(cls.model_fields)) if isinstance(values, Mapping) else []
        if unknown:
            raise ValueError(f"has an entry {unknown[0]!r}; there are {', '.join(sorted(cls.model_fields))}")
        return values


_R = TypeVar("_R", bound=Record)
T = TypeVar("T")

Rows = Annotated[tuple[T, ...], Strict(False)]
"""A list in the file."""
Name = Annotated[str, Field(min_length=1)]
"""A text that names something, such as a case."""


def read_record(model: type[_R], path: Path, advice: str = _ADVICE) -> _R:
    """The record in the JSON file ``path``.

    Args:
        model: what the file must hold.
        path: the file.
        advice: what to do, said where it cannot be read at all.

    Raises:
        RefusalError: naming the file, the place and the rule.
    """
    return validated(model, read_json_object(path, advice), str(path))


def validated(model: type[_R], content: Mapping[str, Any], place: str) -> _R:
    """``content`` as a record; ``place`` is where it stands, for the error messages.

    Raises:
        RefusalError: naming the place and the rule.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        refuse(fault(error, place))


def write_record(record: Record, path: Path) -> None:
    """Write the JSON file ``path``, whole or not at all; a number that was not measured is null, as JSON has no NaN."""
    write_text_atomically(record.text() + "\n", path)


def fault(error: ValidationError, place: str) -> str:
    """The first fault that a model found, by its place in the file and in words."""
    details = error.errors(include_url=False)[0]
    at, name = _address(details["loc"])
    where = f"{place}: {at}" if at else place
    if details["type"] == "missing":
        return f"{where} has no {name!r}, but it must have it"
    said = _said(details)
    if not said.startswith(("is ", "has ")):
        return f"{where}: {said}"
    return f"{where}: {name!r} {said}" if name else f"{where} {said}"


_WORDS = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object with named fields",
    "is_instance_of": "a text",
}
"""What pydantic's types of errors ask for."""


def kind(value: object) -> str:
    """A value of a JSON file in words, as in ``"the text 'high'"``."""
    if value is None:
        return "missing"
    kinds = {dict: "an object", list: "a list", str: f"the text {str(value)[:40]!r}", bool: "true or false"}
    return kinds.get(type(value), f"the number {value!r}")


def _said(details: ErrorDetails) -> str:
    if details["type"] in _WORDS:
        return f"is {kind(details['input'])}, but it must be {_WORDS[details['type']]}"
    return str(details.get("ctx", {}).get("error", details["msg"]))


def _address(location: Sequence[int | str]) -> tuple[str, str]:
    """The element of a list that a fault is in, as ``cases[3]``, and the name of the value within it."""
    location = [part for part in location if part != "[key]"]
    numbers = [place for place, part in enumerate(location) if isinstance(part, int)]
    split = numbers[-1] + 1 if numbers else 0
    at = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location[:split])
    return at.removeprefix("."), ".".join(map(str, location[split:]))
