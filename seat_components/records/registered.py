"""What the package knows of registered weights: figures from evaluation records, as cards and lists show them."""

from __future__ import annotations

import math
from typing import Any

from pydantic import ConfigDict

from seat_components.records.attacked import AttackMean
from seat_components.records.metrics import Means
from seat_components.records.model import Name, Record, Rows
from seat_components.records.numbers import Dice, Measured


class AttackFigure(AttackMean):
    """Mean Dice under one attack, with its 95 % interval over cases; NaN where there are too few for one."""

    low: Dice = math.nan
    high: Dice = math.nan


class AttackedFigures(Record):
    """Mean Dice under the attacks of one protocol.

    Attributes:
        attacked_cases: those that were attacked to the end.
        scope: ``patch`` or ``volume``.
        attacked: by attack and ε; an attack that ran on some cases only says on how many.
        command: what was run; empty where the training's words say it.
        seconds: that all attacks took on all cases; NaN where that was not written.
        device: what they ran on.
    """

    attacked_cases: Measured
    protocol: Name
    scope: str = "patch"
    attacked: Rows[AttackFigure]
    command: str = ""
    seconds: Measured = math.nan
    device: str = ""


class CorruptedFigures(Record):
    """What is kept of the clean Dice under corruptions, which no attack has a part in.

    Attributes:
        cases: those that were corrupted in every way.
        scope: ``patch`` or ``volume``.
        clean_dice: their mean Dice without corruption.
        dice_kept: the share of it that is left, mean over corruptions and severities.
        worst_corruption: the one that leaves the least.
        worst_kept: the share that it leaves, mean over severities.
        command: what was run.
    """

    cases: Measured
    scope: str
    clean_dice: Dice
    dice_kept: Measured
    worst_corruption: Name
    worst_kept: Measured
    command: str


class Provenance(Record):
    """What weights were trained from, as the training's run.json says it.

    Attributes:
        command: what was typed; empty where that was not written.
        config_sha256: of the config without places; ``data_sha256`` of the training cases' names and files.
        code: the version of this package.
    """

    command: str = ""
    config_sha256: str
    training_cases: int
    data_sha256: str
    code: str


class RegisteredWeights(AttackedFigures):
    """One file of weights.

    Attributes:
        file: its name in a bundle's ``models/``.
        method: how it was trained.
        training: the training in words, with its command.
        cases: those that were evaluated as whole volumes.
        clean: mean Dice there.
        more: other protocols.
        corrupted: under corruptions; None where that was not measured.
        url: where it is downloaded from; empty where the bundle ships it.
        provenance: None where no run.json is known to be of these weights.
    """

    _order = ("file", "method", "sha256", "training", "cases", "clean")

    file: Name
    method: Name
    sha256: Name
    training: str
    cases: Measured
    clean: Means
    more: Rows[AttackedFigures] = ()
    corrupted: CorruptedFigures | None = None
    url: str = ""
    provenance: Provenance | None = None


class Registry(Record):
    """All registered weights, by task."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Rows[RegisteredWeights]]

    def of(self, task: str) -> list[RegisteredWeights]:
        """Those of a task, by the name of their files."""
        return sorted(self.all().get(task, ()), key=lambda weights: weights.file)

    def all(self) -> dict[str, tuple[RegisteredWeights, ...]]:
        """Those of every task."""
        return self.__pydantic_extra__

    def with_one(self, task: str, weights: RegisteredWeights) -> Registry:
        """With ``weights`` in the place of earlier ones of the same file."""
        others = [other for other in self.all().get(task, ()) if other.file != weights.file]
        changed: dict[str, Any] = {**self.all(), task: (*others, weights)}
        return Registry(**changed)
