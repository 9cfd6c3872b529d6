"""Typed access to the fields of a JSON record, refusing what does not fit by file and rule."""

from __future__ import annotations

import json
import math
from pathlib import Path

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
    def of_file(cls, path: Path) -> Fields:
        """The top-level object of the JSON file ``path``."""
        try:
            return cls(json.loads(path.read_text(encoding="utf-8")), str(path))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            refuse(f"{path} is not readable as JSON ({error}): write it again, or move it out of the run's folder")

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
    kinds = {dict: "an object", list: "a list", str: f"the text {value!r:.40}", bool: "true or false"}
    return kinds.get(type(value), f"the number {value!r}")
