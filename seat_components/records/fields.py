"""Typed access to the fields of a JSON record, refusing what does not fit by file and rule."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from pathlib import Path

from seat_components.files import read_json_object
from seat_components.refusals import refuse

DICE_TOLERANCE = 1e-6


class Fields:
    """One JSON object, with the place it came from for the error messages.

    Args:
        values: the parsed JSON value, which must be an object.
        place: where it stands, e.g. ``"robustness.json: cases[3]"``.

    Raises:
        RefusalError: from the constructor and every method, if a value is missing or of another kind.
    """

    def __init__(self, values: object, place: str) -> None:
        if not isinstance(values, dict):
            refuse(f"{place} is {_kind(values)}, but it must be an object with named fields")
        self._values: dict[str, object] = values
        self.place = place

    @classmethod
    def of_file(cls, path: Path, advice: str = "Write it again, or move it out of the run's folder.") -> Fields:
        """The top-level object of the JSON file ``path``; ``advice`` ends a refusal."""
        return cls(read_json_object(path, advice), str(path))

    @property
    def values(self) -> dict[str, object]:
        """The object as it stands in the file."""
        return self._values

    def items(self) -> list[tuple[str, Fields]]:
        """The fields, all of them objects, by name."""
        return [(name, self.record(name)) for name in self._values]

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A string or a number as text; ``default`` where it is absent or null."""
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            refuse(f"{self.place}: {name!r} is {_kind(value)}, but it must be text")
        return str(value)

    def name(self, name: str) -> str:
        """A text that names something, such as a case: not empty."""
        value = self._values.get(name)
        if not isinstance(value, str) or not value:
            refuse(f"{self.place}: {name!r} is {_kind(value)}, but it must be a text that is not empty")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A number; null counts as not measured and gives NaN, and so does absence when ``default`` is given."""
        if name not in self._values:
            if default is not None:
                return default
            refuse(f"{self.place} has no {name!r}, but it must have this number (null where not measured)")
        return self._as_number(self._values[name], name)

    def dice(self, name: str) -> float:
        """A Dice coefficient in [0, 1], or NaN where not defined."""
        return self._as_dice(self.number(name), name)

    def dice_by_label(self, name: str = "dice") -> dict[str, float]:
        """An object of Dice coefficients by label."""
        return {label: self._as_dice(value, f"{name}.{label}") for label, value in self.numbers(name).items()}

    def measured(self, name: str) -> float:
        """A number, 0 or more, that was measured."""
        value = self.number(name)
        if not 0 <= value < math.inf:
            refuse(f"{self.place}: {name!r} is {value:g}, but it must be a number, 0 or more")
        return value

    def dice_of(self, labels: Collection[str], name: str = "dice") -> dict[str, float]:
        """The Dice coefficients of exactly these labels, all defined."""
        values = self.dice_by_label(name)
        if set(values) != set(labels):
            refuse(f"{self.place}: {name!r} is of {', '.join(values) or 'nothing'}, but must be of {', '.join(labels)}")
        if undefined := [label for label, value in values.items() if math.isnan(value)]:
            refuse(f"{self.place}: '{name}.{undefined[0]}' is missing, but it must be a Dice coefficient")
        return values

    def numbers(self, name: str) -> dict[str, float]:
        """An object of numbers by name."""
        values = self.record(name)._values
        return {key: self._as_number(value, f"{name}.{key}") for key, value in values.items()}

    def texts(self) -> dict[str, str]:
        """Every field as text, by name; whatever is not text stands as it does in JSON."""
        return {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in self._values.items()
        }

    def text_list(self, name: str) -> list[str]:
        """The list of texts ``name``."""
        values = self.array(name)
        if wrong := [value for value in values if not isinstance(value, str)]:
            refuse(f"{self.place}: {name!r} holds {_kind(wrong[0])}, but it must be a list of texts")
        return [str(value) for value in values]

    def names(self) -> list[str]:
        """The names of the fields, in the file's order."""
        return list(self._values)

    def record(self, name: str) -> Fields:
        """The object ``name``."""
        if name not in self:
            refuse(f"{self.place} has no {name!r}, but it must have this object")
        return Fields(self._values[name], f"{self.place}: {name}")

    def array(self, name: str) -> list[object]:
        """The list ``name``, its elements not yet looked at."""
        value = self._values.get(name)
        if not isinstance(value, list):
            refuse(f"{self.place}: {name!r} is {_kind(value)}, but it must be a list")
        return value

    def records(self, name: str) -> list[Fields]:
        """The list of objects ``name``."""
        return [Fields(value, f"{self.place}: {name}[{i}]") for i, value in enumerate(self.array(name))]

    def _as_number(self, value: object, name: str) -> float:
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float):
            refuse(f"{self.place}: {name!r} is {_kind(value)}, but it must be a number or null")
        return float(value)

    def _as_dice(self, value: float, name: str) -> float:
        if not (math.isnan(value) or -DICE_TOLERANCE <= value <= 1 + DICE_TOLERANCE):
            refuse(f"{self.place}: {name!r} is {value:g}, but a Dice coefficient lies between 0 and 1")
        return value


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    kinds = {dict: "an object", list: "a list", str: f"the text {str(value)[:40]!r}", bool: "true or false"}
    return kinds.get(type(value), f"the number {value!r}")
