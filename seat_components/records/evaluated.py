"""What metrics.json and robustness.json are records of, and what both must hold so that an evaluation can go on."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from seat_components.records.computed import ComputedRecord
from seat_components.records.model import Name

SETUP = "setup_sha256"
"""What an older record does not say: it is then taken for the same."""


class Evaluated(ComputedRecord):
    """The weights and the data that were evaluated, and how; empty or None where that was not said.

    Attributes:
        bundle: the bundle's name.
        weights_sha256: the hash of the weights' file.
        data: what the dataset says about itself.
        val_patch_size: of the patch or of the sliding window.
        setup_sha256: a hash of what the config says of preprocessing, windows and postprocessing.
        rule: how classes that are absent from a case are counted, in the evaluation's own words.
        versions: of the programs that it was computed with, by name.
    """

    _order: ClassVar[tuple[str, ...]] = (
        *("bundle", "weights_sha256", "data", "val_patch_size", "setup_sha256", "rule", "versions"),
    )

    bundle: str = ""
    weights_sha256: str = ""
    data: str = ""
    val_patch_size: Any = None
    setup_sha256: str = ""
    rule: str = ""
    versions: dict[str, Name] = Field(default_factory=dict)


def check_dice(place: str, dice: Mapping[str, float], labels: Collection[str]) -> None:
    """Check that a row has the Dice coefficients of exactly these labels, all defined.

    Raises:
        ValueError: naming the place and the rule.
    """
    check_labels(f"{place}: 'dice'", dice, labels)
    if undefined := [label for label, value in dice.items() if math.isnan(value)]:
        raise ValueError(f"{place}: 'dice.{undefined[0]}' is missing, but it must be a Dice coefficient")


def check_labels(place: str, values: Collection[str], labels: Collection[str]) -> None:
    """Check that there are values of exactly these labels.

    Raises:
        ValueError: naming the place and the rule.
    """
    if set(values) != set(labels):
        raise ValueError(f"{place} is of {', '.join(values) or 'nothing'}, but must be of {', '.join(labels)}")


def check_once(keys: Sequence[tuple[object, ...]]) -> None:
    """Check that no result of a case stands twice.

    Raises:
        ValueError: naming it.
    """
    seen: set[tuple[object, ...]] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"{' '.join(map(str, key))} stands more than once under 'cases', but once is the rule")
        seen.add(key)
