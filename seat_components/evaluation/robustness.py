"""``robustness.json`` and ``.csv``: Dice per case, attack and ε, written case by case, and their summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seat_components.evaluation.store import read_own_record, write_csv, write_json

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
        before = read_own_record(self.path, {name: self.header[name] for name in IDENTITY})
        if before is not None:
            self.cases = [row for row in before["cases"] if row["attack"] != "worst"]
            self.cost = before["cost"]

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
        write_json(content, self.path)
        columns = ["case", "attack", "eps_255", "mean_dice", *(f"dice_{label}" for label in self.labels)]
        rows = (
            [row["case"], row["attack"], row["eps_255"], mean_dice(row), *row["dice"].values(), row["linf_over_budget"]]
            for row in content["cases"]
        )
        write_csv([*columns, "linf_over_budget"], rows, self.path.with_suffix(".csv"))


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
