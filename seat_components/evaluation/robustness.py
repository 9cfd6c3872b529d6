"""``robustness.json`` and ``.csv``: Dice per case, attack and ε, written case by case, and their summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seat_components.evaluation.sizes import SIZE_RULE, dice_by_size
from seat_components.evaluation.store import all_versions, read_own_record, stale_cases, write_csv, write_json
from seat_components.records.resumable import check_robustness

# Rows of equal identity may be put together; a file of another identity is kept aside, not overwritten.
IDENTITY = ("bundle", "weights_sha256", "protocol", "settings", "seed", "scope", "data", "val_patch_size")


class RobustnessRecords:
    """The rows of one evaluation, on disk each time that they are written.

    Args:
        directory: the run's output folder; None keeps the rows in memory.
        header: the record's head; the values of ``IDENTITY`` among it say what may be continued.
        labels: names of the foreground classes.

    Attributes:
        cases: one row per case, attack and ε, ``worst`` left out.
        checks: what was measured for the alarms only: {"check", "case", "value", …}.
        unfinished: cases that something is missing of yet, as in the record of an evaluation that was stopped; their
            rows are kept, but they count in no mean, as their worst case is not known.
        volumes: case → label → labelled volume in ml.
        files: case → fingerprint of its files, where it is known.
        cost: attack → passes of one sample, and seconds.
    """

    def __init__(self, directory: str | Path | None, header: Mapping[str, Any], labels: Sequence[str]) -> None:
        self.path = None if directory is None else Path(directory) / "robustness.json"
        self.header = dict(header)
        self.labels = list(labels)
        self.cases: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.unfinished: set[str] = set()
        self.volumes: dict[str, dict[str, float]] = {}
        self.files: dict[str, str] = {}
        self.cost: dict[str, dict[str, float]] = {}
        identity = {name: self.header.get(name) for name in IDENTITY}
        check = partial(check_robustness, labels=self.labels)
        before = None if self.path is None else read_own_record(self.path, identity, check)
        if before is not None:
            self.cases = [row for row in before["cases"] if row["attack"] != "worst"]
            self.unfinished = set(before.get("unfinished") or ())
            self.files = before.get("files") or {}
            if "versions" in self.header:
                self.header["versions"] = all_versions(before.get("versions") or {}, self.header["versions"])
            self.checks, self.volumes, self.cost = before["checks"], before["volumes_ml"], before["cost"]

    def drop_stale(self, files: Mapping[str, str]) -> bool:
        """Take out what is not of these files, case → fingerprint; whether there was any.

        If the record holds other cases too, it is kept aside on disk, and nothing of it here.
        What dropped cases have cost stays in ``cost`` as long as others remain, as it is not kept by case.
        """
        recorded = {row["case"]: self.files.get(row["case"]) for row in self.cases}
        if self.path is None or not (stale := stale_cases(self.path, self.header["weights_sha256"], recorded, files)):
            return False
        self.cases = [row for row in self.cases if row["case"] not in stale]
        self.checks = [row for row in self.checks if row["case"] not in stale]
        self.unfinished -= stale
        self.volumes = {case: volumes for case, volumes in self.volumes.items() if case not in stale}
        self.files = {case: known for case, known in self.files.items() if case not in stale}
        self.cost = self.cost if self.cases else {}
        return True

    def has(self, case: str, attack: str, eps_255: float) -> bool:
        """Whether this result is there already."""
        return any(row["case"] == case and row["attack"] == attack and row["eps_255"] == eps_255 for row in self.cases)

    def has_check(self, case: str, check: str) -> bool:
        """Whether this check of this case is there already."""
        return any(row["case"] == case and row["check"] == check for row in self.checks)

    def at_zero(self, case: str, eps_255: float) -> dict[str, Any] | None:
        """The first row of ``case`` at ``eps_255`` (0 for clean) in which every class has Dice 0."""
        rows = (row for row in self.cases if row["case"] == case and row["eps_255"] == eps_255)
        return next((row for row in rows if mean_dice(row) == 0), None)

    def add(
        self,
        case: str,
        attack: str,
        eps_255: float,
        dice: Iterable[float],
        linf_over_budget: float,
        of: str | None = None,
    ) -> None:
        """Add one result: Dice of each foreground class, in the order of ``labels``.

        ``of`` names the attack whose image stands for this one's, which was skipped because of it.
        """
        values = dict(zip(self.labels, (float(value) for value in dice), strict=True))
        row = {"case": case, "attack": attack, "eps_255": eps_255, "dice": values, "linf_over_budget": linf_over_budget}
        self.cases.append(row if of is None else {**row, "skipped": True, "of": of})

    def add_cost(self, attack: str, forwards: int, backwards: int, seconds: float) -> None:
        """Add to what ``attack`` has cost, in sample passes and seconds."""
        total = self.cost.setdefault(attack, {"forwards": 0, "backwards": 0, "seconds": 0.0})
        total["forwards"] += forwards
        total["backwards"] += backwards
        total["seconds"] += seconds

    def content(self, alarms: Sequence[Mapping[str, str]] = (), checked: Sequence[str] = ()) -> dict[str, Any]:
        """The whole record; ``checked`` names the alarms that there was reason to examine."""
        finished = [row for row in self.cases if row["case"] not in self.unfinished]
        worst = worst_rows(finished)
        counted = [*finished, *worst]
        return {
            **self.header,
            "summary": summarise(counted, self.labels),
            "by_size": dice_by_size(counted, self.volumes, self.labels),
            "size_rule": SIZE_RULE,
            "cases": [*self.cases, *worst],
            "unfinished": sorted(self.unfinished),
            "files": self.files,
            "volumes_ml": self.volumes,
            "checks": self.checks,
            "cost": self.cost,
            "alarms": list(alarms),
            "alarms_checked": list(checked),
        }

    def write(self, alarms: Sequence[Mapping[str, str]] = (), checked: Sequence[str] = ()) -> None:
        """Write the record as it is now, JSON last: for a case that it holds completely nothing is written again."""
        if self.path is None:
            return
        content = self.content(alarms, checked)
        labels = [f"dice_{label}" for label in self.labels]
        columns = ["case", "attack", "eps_255", "mean_dice", *labels, "linf_over_budget", "of", "of_eps_255"]
        rows = (
            [
                *(row["case"], row["attack"], row["eps_255"], mean_dice(row)),
                *(*row["dice"].values(), row["linf_over_budget"], row.get("of"), row.get("of_eps_255")),
            ]
            for row in content["cases"]
        )
        write_csv(columns, rows, self.path.with_suffix(".csv"))
        write_json(content, self.path)


def mean_dice(row: Mapping[str, Any]) -> float:
    """Mean Dice over the foreground classes of a row."""
    values: list[float] = list(row["dice"].values())
    return sum(values) / len(values)


def worst_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per case and ε, the row of lowest mean Dice of all that ran within ε, the clean image included; as ``worst``.

    What a smaller budget found lies within a larger one: its row is carried over where it is lower, and marked with the
    budget that it was found at, ``of_eps_255``. The row's ``of`` names the attack that it is.
    """
    clean = {row["case"]: row for row in rows if row["eps_255"] == 0}
    worst: dict[tuple[str, float], Mapping[str, Any]] = {}
    for row in rows:
        if row["eps_255"] == 0:
            continue
        key = (row["case"], row["eps_255"])
        rivals = [rival for rival in (worst.get(key), clean.get(row["case"]), row) if rival is not None]
        worst[key] = min(rivals, key=mean_dice)
    for case, eps in sorted(worst):
        # In ascending order, so that the next smaller budget has all that the smaller ones found.
        smaller = max((less for other, less in worst if other == case and less < eps), default=None)
        if smaller is not None and mean_dice(worst[case, smaller]) < mean_dice(worst[case, eps]):
            worst[case, eps] = worst[case, smaller]
    return [_as_worst(row, case, eps) for (case, eps), row in worst.items()]


def _as_worst(row: Mapping[str, Any], case: str, eps_255: float) -> dict[str, Any]:
    carried = 0 < row["eps_255"] < eps_255
    over = row["linf_over_budget"] * (row["eps_255"] / eps_255 if carried else 1)
    own = {"dice": row["dice"], "linf_over_budget": over, "case": case, "attack": "worst", "eps_255": eps_255}
    return {**own, "of": row.get("of", row["attack"]), **({"of_eps_255": row["eps_255"]} if carried else {})}


def summarise(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Mean over all cases that an attack was to run on, at each ε, in order of appearance; with their number."""
    groups: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["attack"], row["eps_255"]), []).append(row)
    return [
        {
            "attack": attack,
            "eps_255": eps_255,
            "cases": len(group),
            "mean_dice": sum(map(mean_dice, group)) / len(group),
            "dice": {label: sum(row["dice"][label] for row in group) / len(group) for label in labels},
        }
        for (attack, eps_255), group in groups.items()
    ]
