"""Records on disk that a killed evaluation goes on from, and that another evaluation does not overwrite."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seat_components.refusals import refuse
from seat_components.training.files import write_text_atomically

logger = logging.getLogger(__name__)


def read_own_record(path: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record at ``path`` if it is of the same ``identity``, to go on with; else None.

    A record of another identity is renamed, not lost.

    Raises:
        RefusalError: if the file is not a record.
    """
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        before = {name: record.get(name) for name in identity}
        aside = path.with_name(f"{path.stem}_{record['weights_sha256'][:8]}{path.suffix}")
        count = len(record["cases"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        refuse(f"{path} is not a record of an evaluation ({error!r}). Move it away, or take another --output_dir.")
    if before == json.loads(json.dumps(dict(identity))):
        logger.info(f"Going on with {path}: {count} results are there already.")
        return record
    for number in range(2, 1000):
        if not aside.exists():
            break
        aside = path.with_name(f"{path.stem}_{record['weights_sha256'][:8]}_{number}{path.suffix}")
    path.replace(aside)
    logger.warning(f"{path} was of other weights or settings: kept as {aside.name}.")
    return None


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write ``content``; JSON knows no NaN, so what is undefined must be None."""
    write_text_atomically(json.dumps(content, indent=1, allow_nan=False) + "\n", path)


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], path: Path) -> None:
    """Write a table; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text_atomically(text.getvalue(), path)
