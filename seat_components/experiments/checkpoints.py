"""What a plan's runs have recorded so far, by the weights that were examined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seat_components.experiments.plan import Plan
from seat_components.experiments.steps import mark_of, run_folder
from seat_components.files import is_there
from seat_components.records import history as history_records
from seat_components.records import metrics as metrics_records
from seat_components.records import robustness as robustness_records
from seat_components.records import theory as theory_records
from seat_components.records import timing
from seat_components.records.attacked import WORST
from seat_components.records.bundle import task_of
from seat_components.records.history import History
from seat_components.records.robustness import Robustness
from seat_components.records.run import RunDescription
from seat_components.records.table import read_table
from seat_components.records.theory import Theory
from seat_components.reporting.records import RunRecords


@dataclass(frozen=True)
class Checkpoint:
    """What was recorded of the weights of a run that finished an epoch.

    Attributes:
        run: the run's name.
        seed: its seed.
        weights: "model.pt" or "model_final.pt".
        history: its training.
        is_finished: whether the training reached its last epoch.
        peak_mib: memory of the training at its peak, in MiB; NaN where it was not measured.
        records: all records, with the robustness under the plan's first attack.
        attacks: robustness by the attack's name in the plan; those done.
        theory: theory.json; None where it was not done.
    """

    run: str
    seed: int
    weights: str
    history: History
    is_finished: bool
    peak_mib: float
    records: RunRecords
    attacks: dict[str, Robustness]
    theory: Theory | None

    def worst(self, attack: str) -> dict[str, float]:
        """Worst-case Dice by case under the plan's ``attack``, at the budget that tables show; empty if not done."""
        if attack not in self.attacks:
            return {}
        record = self.attacks[attack]
        return record.dice_of_cases(WORST, record.compared_eps)

    @property
    def clean(self) -> dict[str, float]:
        """Dice of whole volumes by case; empty if not evaluated."""
        return {} if self.records.metrics is None else self.records.metrics.dice_of_cases

    @property
    def seconds(self) -> float:
        """Wall time of the training."""
        return float(np.nansum(self.history["seconds"]))


def read_checkpoints(plan: Plan) -> list[Checkpoint]:
    """Everything that the plan's runs have recorded so far."""
    found = []
    for run in plan.runs:
        for seed in plan.seeds_of(run):
            file = run_folder(plan, run, seed) / history_records.FILE
            history = history_records.read_history(file) if is_there(file) else None
            if history is not None:
                found += [_checkpoint(plan, run, seed, weights, history) for weights in plan.weights]
    return found


def by_run(found: Sequence[Checkpoint]) -> list[list[Checkpoint]]:
    """The checkpoints of each run and kind of weights, of all its seeds, in order."""
    runs: dict[tuple[str, str], list[Checkpoint]] = {}
    for one in found:
        runs.setdefault((one.run, one.weights), []).append(one)
    return list(runs.values())


def _checkpoint(plan: Plan, run: str, seed: int, weights: str, history: History) -> Checkpoint:
    folder = run_folder(plan, run, seed)
    place = (folder / weights).with_suffix("")
    # A step that was stopped has records of some cases; means over other cases than the other runs' mislead.
    attacks = {
        name: robustness_records.read_robustness(place / name / robustness_records.FILE)
        for name in plan.attacks
        if mark_of(place / name).is_file()
    }
    clean = place / "evaluate" / metrics_records.FILE
    name = run if len(plan.seeds_of(run)) == 1 else f"{run}, seed {seed}"
    is_finished = mark_of(folder, "train").is_file()
    records = RunRecords(
        name=name,
        folder=folder,
        description=RunDescription(task=task_of(plan.bundle), method=run),
        history=history,
        metrics=metrics_records.read_metrics(clean) if mark_of(clean.parent).is_file() else None,
        robustness=next(iter(attacks.values()), None),
        slices=(),
    )
    file = place / "theory" / theory_records.FILE
    quantities = theory_records.read_theory(file) if is_there(file) else None
    peak = _peak_mib(folder / timing.FILE)
    return Checkpoint(run, seed, weights, history, is_finished, peak, records, attacks, quantities)


def _peak_mib(file: Path) -> float:
    if not is_there(file):
        return math.nan
    measured = [row.peak_mib for row in read_table(timing.Timing, file) if not math.isnan(row.peak_mib)]
    return max(measured, default=math.nan)
