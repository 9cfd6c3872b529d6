"""What a plan's runs have recorded so far, by the weights that were examined."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seat_components.evaluation import theory
from seat_components.experiments.plan import Plan
from seat_components.experiments.steps import mark_of, run_folder
from seat_components.files import is_there, read_text
from seat_components.records import history as history_records
from seat_components.records import metrics as metrics_records
from seat_components.records import robustness as robustness_records
from seat_components.records.fields import Fields
from seat_components.records.history import History
from seat_components.records.robustness import WORST, Robustness
from seat_components.refusals import refuse
from seat_components.reporting.records import Description, RunRecords
from seat_components.training import EpochTiming


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
        theory: theory.json; empty where it was not done.
    """

    run: str
    seed: int
    weights: str
    history: History
    is_finished: bool
    peak_mib: float
    records: RunRecords
    attacks: dict[str, Robustness]
    theory: dict[str, Any]

    def worst(self, attack: str) -> dict[str, float]:
        """Worst-case Dice by case under the plan's ``attack``, at the budget that tables show; empty if not done."""
        if attack not in self.attacks:
            return {}
        record = self.attacks[attack]
        eps = record.compared_eps
        return {row.case: row.mean_dice for row in record.cases if row.attack == WORST and row.eps_255 == eps}

    @property
    def clean(self) -> dict[str, float]:
        """Dice of whole volumes by case; empty if not evaluated."""
        return {} if self.records.metrics is None else self.records.metrics.cases

    @property
    def seconds(self) -> float:
        """Wall time of the training."""
        return float(np.nansum(self.history["seconds"]))


def checkpoints(plan: Plan) -> list[Checkpoint]:
    """Everything that the plan's runs have recorded so far."""
    found = []
    for run in plan.runs:
        for seed in plan.seeds:
            file = run_folder(plan, run.name, seed) / history_records.FILE
            history = history_records.read_history(file) if is_there(file) else None
            if history is not None:
                found += [_checkpoint(plan, run.name, seed, weights, history) for weights in plan.weights]
    return found


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
    name = run if len(plan.seeds) == 1 else f"{run}, seed {seed}"
    is_finished = mark_of(folder, "train").is_file()
    task = Fields.of_file(plan.bundle / "configs" / "train.json", "Render the bundle again.").name("task")
    records = RunRecords(
        folder=folder,
        description=Description(name, "", run, task, "", {}),
        history=history,
        metrics=metrics_records.read_metrics(clean) if mark_of(clean.parent).is_file() else None,
        robustness=next(iter(attacks.values()), None),
        slices=(),
    )
    file = place / "theory" / theory.FILE
    quantities = theory.read_theory(file) if is_there(file) else {}
    peak = _peak_mib(folder / EpochTiming.FILE_NAME)
    return Checkpoint(run, seed, weights, history, is_finished, peak, records, attacks, quantities)


def _peak_mib(file: Path) -> float:
    if not is_there(file):
        return math.nan
    rows = csv.DictReader(io.StringIO(read_text(file), newline=""))
    try:
        return max((float(row["peak_mib"]) for row in rows if row.get("peak_mib")), default=math.nan)
    except (csv.Error, ValueError) as error:
        refuse(f"{file} is not a table with memory in the column peak_mib ({error}): remove it")
