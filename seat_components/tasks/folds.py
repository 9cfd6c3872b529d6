"""Folds of one's own dataset: made by one rule, kept in a file, read back."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, TypeAlias

from seat_components.files import read_json_object
from seat_components.refusals import refuse

# Case names (training, validation).
Fold: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]

_COUNT = 5
_ADVICE = 'It must list the folds: {"folds": [{"training": […], "validation": […]}]}.'


def make_folds(names: Collection[str], count: int = _COUNT) -> tuple[Fold, ...]:
    """Cross-validation: every case is in the validation section of exactly one fold.

    Cases are put into the order of the SHA-256 of their names, and every ``count``-th goes into the same fold: the same
    names give the same folds, on any machine and in any order.

    Args:
        names: the cases, at least two.
        count: how many folds; with fewer cases than that there are as many folds as cases.

    Returns:
        one (training, validation) per fold, each sorted by name.
    """
    order = sorted(names, key=lambda name: (hashlib.sha256(name.encode()).digest(), name))
    count = min(count, len(order))
    parts = [order[start::count] for start in range(count)]
    return tuple(
        (_sorted(name for other in parts if other is not part for name in other), _sorted(part)) for part in parts
    )


def folds_json(folds: Iterable[Fold]) -> str:
    """``folds`` as the content of a file that ``read_fold`` reads."""
    content = [{"training": training, "validation": validation} for training, validation in folds]
    return json.dumps({"folds": content}, indent=1, ensure_ascii=False) + "\n"


def read_fold(file: str | Path, fold: int) -> Fold:
    """Fold number ``fold``, counted from 0, of a file such as
    ``{"folds": [{"training": ["case_1", "case_2"], "validation": ["case_3"]}]}``.

    Raises:
        RefusalError: naming the file and the rule, if it is missing or of another form, if it has no such fold, or if
            a case stands in both sections or twice.
    """
    file = Path(file)
    folds = read_json_object(file, _ADVICE).get("folds")
    if not isinstance(folds, list) or not folds:
        refuse(f'{file} must hold a JSON object with a list "folds".')
    if isinstance(fold, bool) or not isinstance(fold, int) or not 0 <= fold < len(folds):
        refuse(f"{file} has no fold {fold!r}: its folds are 0 to {len(folds) - 1}.")
    training, validation = (_section(folds[fold], section, file, fold) for section in ("training", "validation"))
    together = (*training, *validation)
    if twice := sorted(name for name, count in Counter(together).items() if count > 1):
        refuse(f"{file}: fold {fold} lists {', '.join(twice[:10])} twice, but a case is in one section, once.")
    return training, validation


def _section(fold: Any, section: str, file: Path, number: int) -> tuple[str, ...]:
    names = fold.get(section) if isinstance(fold, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        refuse(f'{file}: fold {number} must have a list "{section}" of case names, such as ["case_1"].')
    return tuple(names)


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
