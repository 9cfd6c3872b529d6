"""Records on disk that a killed evaluation goes on from, and that another evaluation does not overwrite."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

from seat_components.files import is_there, read_json_object
from seat_components.records.certificate import Certificate
from seat_components.records.corruptions import Corruptions
from seat_components.records.evaluated import SETUP
from seat_components.records.metrics import Metrics
from seat_components.records.model import Record, validated
from seat_components.records.robustness import Robustness
from seat_components.refusals import refuse

logger = logging.getLogger(__name__)
M = TypeVar("M", Metrics, Robustness, Corruptions, Certificate)


def _hash(value: str) -> str:
    if not re.fullmatch("[0-9a-f]{8,}", value):
        raise ValueError(f"is {value[:70]!r}, but it must be a hash in hexadecimal. Move it away.")
    return value


class _OfWeights(Record):
    weights_sha256: Annotated[str, AfterValidator(_hash)]


def read_own_record(path: Path, identity: Mapping[str, Any], model: type[M], labels: Sequence[str]) -> M | None:
    """The record at ``path`` if it is of the same ``identity``, to go on with; else None.

    A record of another identity is renamed, not lost.

    Args:
        path: the record, which need not be there.
        identity: the values that it must have, as they stand in a file; where either does not say its setup, that is
            taken for the same.
        model: what it must be, if it is of this identity.
        labels: names of the foreground classes.

    Raises:
        RefusalError: if the file is not a record, or one of this identity that cannot be gone on with.
    """
    if not is_there(path):
        return None
    content = read_json_object(path, "Move it away, or take another --output_dir: an evaluation goes on with it.")
    weights = validated(_OfWeights, content, str(path)).weights_sha256
    known = {name: value for name, value in identity.items() if name != SETUP or (value and content.get(name))}
    if {name: content.get(name) for name in known} != known:
        _put_aside(path, weights[:8], "was of other weights, data or settings")
        return None
    record = validated(model, content, str(path))
    try:
        record.check_continued(labels)
    except ValueError as error:
        refuse(f"{path}: {error}")
    logger.info(f"Going on with {path}: {len(record.cases)} results are there already.")
    return record


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
