"""``robustness.json`` and ``.csv``: Dice per case, attack and ε, written case by case, and their summary."""

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

# Rows of equal identity may be put together; a file of another identity is kept aside, not overwritten.
IDENTITY = ("bundle", "weights_sha256", "protocol", "settings", "seed")


class RobustnessRecords:
    """The rows of one evaluation, on disk after each one that is added.

    Args:
        directory: the run's output folder.
        header: the record's head; the values of ``IDENTITY`` among it say what may be continued.
        labels: names of the foreground classes.
    """

    def __init__(self, directory: str | Path, header: Mapping[str, Any], labels: Sequence[str]) -> None:
        self.path = Path(directory) / "robustness.json"
        self.header = dict(header)
        self.labels = list(labels)
        self.cases: list[dict[str, Any]] = []
        self.cost: dict[str, dict[str, float]] = {}
        self._continue()

    def _continue(self) -> None:
        if not self.path.is_file():
            return
        try:
            before = json.loads(self.path.read_text(encoding="utf-8"))
            same = all(before[name] == self.header[name] for name in IDENTITY)
            cases, cost = before["cases"], before["cost"]
            kept = self.path.with_name(f"robustness_{before['weights_sha256'][:8]}_{before['protocol']}.json")
        except (ValueError, KeyError, TypeError) as error:
            refuse(f"{self.path} is not a robustness record ({error!r}). Move it away, or take another --output_dir.")
        if same:
            self.cases, self.cost = [row for row in cases if row["attack"] != "worst"], cost
            logger.info(f"Going on with {self.path}: {len(self.cases)} results are there already.")
        else:
            self.path.replace(kept)
            logger.warning(f"{self.path} held other weights, another protocol or another seed: kept as {kept.name}.")

    def has(self, case: str, attack: str, eps_255: float) -> bool:
        """Whether this result is there already."""
        return any(row["case"] == case and row["attack"] == attack and row["eps_255"] == eps_255 for row in self.cases)

    def add(self, case: str, attack: str, eps_255: float, dice: Iterable[float], linf_over_budget: float) -> None:
        """Add one result: Dice of each foreground class, in the order of ``labels``."""
        values = dict(zip(self.labels, (float(value) for value in dice), strict=True))
        self.cases.append(
            {"case": case, "attack": attack, "eps_255": eps_255, "dice": values, "linf_over_budget": linf_over_budget}
        )

    def add_cost(self, attack: str, forwards: int, backwards: int, seconds: float) -> None:
        """Add to what ``attack`` has cost, in sample passes and seconds."""
        total = self.cost.setdefault(attack, {"forwards": 0, "backwards": 0, "seconds": 0.0})
        total["forwards"] += forwards
        total["backwards"] += backwards
        total["seconds"] += seconds

    def content(self, alarms: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
        """The whole record."""
        rows = [*self.cases, *worst_rows(self.cases)]
        return {
            **self.header,
            "summary": summarise(rows, self.labels),
            "cases": rows,
            "cost": self.cost,
            "alarms": list(alarms),
        }

    def write(self, alarms: Sequence[Mapping[str, str]] = ()) -> None:
        """Write the record as it is now, JSON and CSV."""
        content = self.content(alarms)
        write_text_atomically(json.dumps(content, indent=1) + "\n", self.path)
        text = io.StringIO()
        names = ["case", "attack", "eps_255", "mean_dice", *(f"dice_{label}" for label in self.labels), "linf_over_budget"]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        for row in content["cases"]:
            writer.writerow(
                [row["case"], row["attack"], row["eps_255"], mean_dice(row), *row["dice"].values(), row["linf_over_budget"]]
            )
        write_text_atomically(text.getvalue(), self.path.with_suffix(".csv"))


def mean_dice(row: Mapping[str, Any]) -> float:
    """Mean Dice over the foreground classes of a row."""
    values: list[float] = list(row["dice"].values())
    return sum(values) / len(values)


def worst_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per case and ε, the row of lowest mean Dice of all that ran, the clean image included; as attack ``worst``.

    The row's ``of`` names the attack that it is.
    """
    clean = {row["case"]: row for row in rows if row["eps_255"] == 0}
    worst: dict[tuple[str, float], Mapping[str, Any]] = {}
    for row in rows:
        if row["eps_255"] == 0:
            continue
        key = (row["case"], row["eps_255"])
        rivals = [rival for rival in (worst.get(key), clean.get(row["case"]), row) if rival is not None]
        worst[key] = min(rivals, key=mean_dice)
    return [
        {**row, "case": case, "eps_255": eps_255, "attack": "worst", "of": row["attack"]}
        for (case, eps_255), row in worst.items()
    ]


def summarise(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Mean over all cases of each attack and ε, in order of appearance."""
    groups: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["attack"], row["eps_255"]), []).append(row)
    return [
        {
            "attack": attack,
            "eps_255": eps_255,
            "mean_dice": sum(map(mean_dice, group)) / len(group),
            "dice": {label: sum(row["dice"][label] for row in group) / len(group) for label in labels},
        }
        for (attack, eps_255), group in groups.items()
    ]
