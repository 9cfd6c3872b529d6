"""Records on disk that a killed evaluation goes on from, and that another evaluation does not overwrite."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seat_components.files import is_there, write_text_atomically
from seat_components.records.fields import Fields
from seat_components.refusals import refuse

logger = logging.getLogger(__name__)


def read_own_record(path: Path, identity: Mapping[str, Any], check: Callable[[Fields], None]) -> dict[str, Any] | None:
    """The record at ``path`` if it is of the same ``identity``, to go on with; else None.

    A record of another identity is renamed, not lost.

    Args:
        path: the record, which need not be there.
        identity: the values that it must have.
        check: refuses a record of this identity that cannot be gone on with.

    Raises:
        RefusalError: if the file is not a record.
    """
    if not is_there(path):
        return None
    record = Fields.of_file(path, "Move it away, or take another --output_dir: an evaluation goes on with it.")
    weights = record.name("weights_sha256")
    if not re.fullmatch("[0-9a-f]{8,}", weights):
        refuse(f"{path}: 'weights_sha256' is {weights[:70]!r}, but it must be a hash in hexadecimal. Move it away.")
    if {name: record.values.get(name) for name in identity} == json.loads(json.dumps(dict(identity))):
        check(record)
        logger.info(f"Going on with {path}: {len(record.array('cases'))} results are there already.")
        return record.values
    _put_aside(path, weights[:8], "was of other weights, data or settings")
    return None


def all_versions(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The versions that a record's results come from, where an evaluation goes on with newer ones: ``"2.6, 2.7"``."""
    joined = {name: [*before.get(name, version).split(", "), version] for name, version in now.items()}
    return {name: ", ".join(dict.fromkeys(seen)) for name, seen in joined.items()}


def stale_cases(
    path: Path, weights_sha256: str, recorded: Mapping[str, str | None], files: Mapping[str, str]
) -> set[str]:
    """The cases of a record whose results are not of the data at hand, to be taken out of it; with a warning.

    Those are the cases whose files have changed, or that the record does not know the files of. All of them, where
    some are not among the data at all, as those of another fold: the record on disk is then renamed, not lost.

    Args:
        path: the record, which need not be there yet.
        weights_sha256: the hash of its weights.
        recorded: each of its cases, and the fingerprint of its files.
        files: each case at hand, and the fingerprint of its files.
    """
    foreign = [case for case in recorded if case not in files]
    if foreign:
        _put_aside(path, weights_sha256[:8], f"was of other cases, {foreign[0]} among them,")
        return set(recorded)
    stale = {case for case, known in recorded.items() if known != files[case]}
    for case in sorted(stale):
        logger.warning(f"{case}: its files are not those that {path} was made from, so its results there are dropped.")
    return stale


def _put_aside(path: Path, weights: str, reason: str) -> None:
    """Rename a record, where there is one, after its weights, and say why."""
    if not path.is_file():
        return
    aside = path.with_name(f"{path.stem}_{weights}{path.suffix}")
    for number in range(2, 1000):
        if not aside.exists():
            break
        aside = path.with_name(f"{path.stem}_{weights}_{number}{path.suffix}")
    path.replace(aside)
    logger.warning(f"{path} {reason} and is kept as {aside.name}.")


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
