"""Tables of comma-separated values: one line of column names, then a record in each line."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator, ValidationError

from seat_components.files import read_text, write_text_atomically
from seat_components.records.model import Record, fault
from seat_components.refusals import refuse

_LARGEST = 1e15

_R = TypeVar("_R", bound=Record)


def _unbounded(text: Any) -> float:
    cell = str(text).strip()
    try:
        return float(cell) if cell else math.nan
    except ValueError:
        raise ValueError(f"is {cell!r}, but it must be a number, or empty if not measured") from None


def _cell(text: Any) -> float:
    value = _unbounded(text)
    if not (math.isnan(value) or -_LARGEST < value < _LARGEST):
        raise ValueError(f"is {str(text)!r}, but it must be a finite number of a size that occurs")
    return value


Cell = Annotated[float, PlainValidator(_cell)]
"""A number as text; an empty cell was not measured (NaN)."""
UnboundedCell = Annotated[float, PlainValidator(_unbounded)]
"""One that may also be infinite."""


def read_table(model: type[_R], path: Path) -> list[_R]:
    """The lines of the table in ``path``; what other columns than the model's are, the model says.

    Raises:
        RefusalError: if it is no such table, a column is missing, or a cell does not fit.
    """
    text = read_text(path, "It must be a table of comma-separated values.")
    try:
        return parse_table(model, text)
    except ValueError as error:
        refuse(f"{path}{error}")


def parse_table(model: type[_R], text: str) -> list[_R]:
    """The lines of a table.

    Raises:
        ValueError: as ``read_table``; the words go on from the file's name.
    """
    try:
        header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    except csv.Error as error:
        raise ValueError(f" is not readable as a table of comma-separated values ({error})") from error
    if len(set(header)) < len(header):
        raise ValueError(f" names a column twice in its first line: {', '.join(header)}")
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    if missing := [name for name in needed if name not in header]:
        raise ValueError(f" has no column {', '.join(missing)}: its first line must name {', '.join(needed)}")
    return [_row(model, header, cells, line) for line, cells in enumerate(rows, start=2)]


def _row(model: type[_R], header: Sequence[str], cells: Sequence[str], line: int) -> _R:
    if len(cells) != len(header):
        raise ValueError(f", line {line}: {len(cells)} cells, but the first line names {len(header)} columns")
    try:
        return model.model_validate(dict(zip(header, cells, strict=True)))
    except ValidationError as error:
        raise ValueError(fault(error, f", line {line}")) from error


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A table as text: numbers read back as the same numbers; what a row does not have, None and NaN are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_as_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def write_table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write a table, whole or not at all."""
    write_text_atomically(table_text(columns, rows), path)


def _as_cell(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
