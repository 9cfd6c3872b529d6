"""``robustness.json`` and ``.csv``: Dice per case, attack and ε, written case by case, and their summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seat_components.evaluation.sizes import SIZE_RULE, dice_by_size
from seat_components.evaluation.store import all_versions, read_own_record, stale_cases
from seat_components.records.attacked import (
    WORST,
    Alarm,
    AttackedCase,
    BudgetShare,
    CheckedCase,
    Cost,
    LeastBudget,
    summarise,
    worst_rows,
)
from seat_components.records.evaluated import SETUP
from seat_components.records.model import write_record
from seat_components.records.robustness import FILE, AttackedEvaluation, Robustness
from seat_components.records.table import write_table

# Rows of equal identity may be put together; a file of another identity is kept aside, not overwritten.
_IDENTITY = (
    *("bundle", "weights_sha256", "protocol", "settings", "seed", "scope", "inputs", "budget", "outputs"),
    *("data", "val_patch_size", SETUP),
)


class RobustnessRecords:
    """The rows of one evaluation, on disk each time that they are written.

    Args:
        directory: the run's output folder; None keeps the rows in memory.
        header: the record's head; its values of ``_IDENTITY`` say what may be continued.
        labels: names of the foreground classes.

    Attributes:
        cases: one row per case, attack and ε, ``worst`` left out.
        checks: what was measured for the alarms only.
        least_budgets: case → its least budget, where one was asked for.
        unfinished: cases that something is missing of yet, as in the record of an evaluation that was stopped; their
            rows are kept, but they count in no mean, as their worst case is not known.
        volumes: case → label → labelled volume in ml.
        shares: (case, ε · 255) → what that budget amounts to there; written for those that were attacked.
        files: case → fingerprint of its files, where it is known.
        cost: attack → passes of one sample, and seconds.
    """

    def __init__(self, directory: str | Path | None, header: AttackedEvaluation, labels: Sequence[str]) -> None:
        self.path = None if directory is None else Path(directory) / FILE
        self.header = header
        self.labels = list(labels)
        self.cases: list[AttackedCase] = []
        self.checks: list[CheckedCase] = []
        self.least_budgets: dict[str, LeastBudget] = {}
        self.unfinished: set[str] = set()
        self.volumes: dict[str, dict[str, float]] = {}
        self.shares: dict[tuple[str, float], BudgetShare] = {}
        self.files: dict[str, str] = {}
        self.cost: dict[str, Cost] = {}
        said = header.as_json()
        identity = {name: said.get(name) for name in _IDENTITY}
        before = None if self.path is None else read_own_record(self.path, identity, Robustness, self.labels)
        if before is not None:
            self.cases = [row for row in before.cases if row.attack != WORST]
            self.checks, self.unfinished = list(before.checks), set(before.unfinished)
            self.least_budgets = {row.case: row for row in before.least_budgets}
            self.volumes, self.files, self.cost = dict(before.volumes_ml), dict(before.files), dict(before.cost)
            self.shares = {(row.case, row.eps_255): row for row in before.budget_over_std}
            if header.versions:
                self.say(versions=all_versions(before.versions, header.versions))

    def say(self, **values: Any) -> None:
        """Say more in the record's head, such as ``device``."""
        self.header = self.header.model_copy(update=values)

    def drop_stale(self, files: Mapping[str, str]) -> bool:
        """Take out what is not of these files, case → fingerprint; whether there was any.

        If the record holds other cases too, it is kept aside on disk, and nothing of it here.
        What dropped cases have cost stays in ``cost`` as long as others remain, as it is not kept by case.
        """
        recorded = {row.case: self.files.get(row.case) for row in self.cases}
        if self.path is None or not (stale := stale_cases(self.path, self.header.weights_sha256, recorded, files)):
            return False
        self.cases = [row for row in self.cases if row.case not in stale]
        self.checks = [row for row in self.checks if row.case not in stale]
        self.unfinished -= stale
        self.least_budgets = {case: row for case, row in self.least_budgets.items() if case not in stale}
        self.volumes = {case: volumes for case, volumes in self.volumes.items() if case not in stale}
        self.files = {case: known for case, known in self.files.items() if case not in stale}
        self.cost = self.cost if self.cases else {}
        return True

    def has(self, case: str, attack: str, eps_255: float) -> bool:
        """Whether this result is there already."""
        return any(row.case == case and row.attack == attack and row.eps_255 == eps_255 for row in self.cases)

    def has_check(self, case: str, check: str) -> bool:
        """Whether this check of this case is there already."""
        return any(row.case == case and row.check == check for row in self.checks)

    def at_zero(self, case: str, eps_255: float) -> AttackedCase | None:
        """The first row of ``case`` at ``eps_255`` (0 for clean) in which every class has Dice 0."""
        rows = (row for row in self.cases if row.case == case and row.eps_255 == eps_255)
        return next((row for row in rows if row.mean_dice == 0), None)

    def add(
        self,
        case: str,
        attack: str,
        eps_255: float,
        dice: Iterable[float],
        linf_over_budget: float,
        of: str | None = None,
        **more: Any,
    ) -> None:
        """Add one result: Dice of each foreground class, in the order of ``labels``.

        ``of`` names the attack whose image stands for this one's, which was skipped because of it; ``more`` are further
        fields of the row.
        """
        values = dict(zip(self.labels, (float(value) for value in dice), strict=True))
        if of is not None:
            more |= {"skipped": True, "of": of}
        self.cases.append(
            AttackedCase(
                case=case, attack=attack, eps_255=eps_255, dice=values, linf_over_budget=linf_over_budget, **more
            )
        )

    def add_cost(self, attack: str, forwards: int, backwards: int, seconds: float) -> None:
        """Add to what ``attack`` has cost, in sample passes and seconds."""
        before = self.cost.get(attack, Cost(forwards=0, backwards=0, seconds=0.0))
        self.cost[attack] = Cost(
            forwards=before.forwards + forwards,
            backwards=before.backwards + backwards,
            seconds=before.seconds + seconds,
        )

    def record(self, alarms: Sequence[Mapping[str, str]] = (), checked: Sequence[str] = ()) -> Robustness:
        """The whole record; ``checked`` names the alarms that there was reason to examine."""
        finished = [row for row in self.cases if row.case not in self.unfinished]
        worst = worst_rows(finished)
        attacked = {(row.case, row.eps_255) for row in self.cases}
        counted = [*finished, *worst]
        asked: dict[str, Any] = {"least_budgets": tuple(self.least_budgets.values())} if self.least_budgets else {}
        return Robustness(
            **self.header.said(),
            summary=tuple(summarise(counted, self.labels)),
            by_size=tuple(dice_by_size(counted, self.volumes, self.labels)),
            size_rule=SIZE_RULE,
            cases=(*self.cases, *worst),
            unfinished=tuple(sorted(self.unfinished)),
            files=self.files,
            volumes_ml=self.volumes,
            budget_over_std=tuple(share for key, share in self.shares.items() if key in attacked),
            checks=tuple(self.checks),
            **asked,
            cost=self.cost,
            alarms=tuple(Alarm(**alarm) for alarm in alarms),
            alarms_checked=tuple(checked),
        )

    def content(self, alarms: Sequence[Mapping[str, str]] = (), checked: Sequence[str] = ()) -> dict[str, Any]:
        """What robustness.json holds of ``record``."""
        return self.record(alarms, checked).as_json()

    def write(self, alarms: Sequence[Mapping[str, str]] = (), checked: Sequence[str] = ()) -> None:
        """Write the record as it is now, JSON last: for a case that it holds completely nothing is written again."""
        if self.path is None:
            return
        record = self.record(alarms, checked)
        rows = [row.cells() for row in record.cases]
        write_table(AttackedCase.columns(self.labels), rows, self.path.with_suffix(".csv"))
        write_record(record, self.path)
