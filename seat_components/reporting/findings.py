"""The report in words: what was found of each run, and what that does not say."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seat_components.budget import RANGE
from seat_components.records.attacked import WORST
from seat_components.records.bootstrap import FEWEST, bootstrap_mean
from seat_components.records.robustness import Robustness
from seat_components.reporting.records import RunRecords


def findings(run: RunRecords) -> list[str]:
    """What the records of a run come to, a sentence each: whole volumes, attacks, corruptions, or training alone."""
    said = []
    if run.metrics and run.metrics.cases:
        of = _cases(len(run.metrics.cases))
        said.append(f"Without attack, the whole volumes of {of} have a mean Dice of {run.metrics.mean_dice:.2f}.")
    if run.robustness and run.robustness.compared_eps is not None:
        said.append(_attacked(run.robustness, run.robustness.compared_eps))
    if run.corruptions and not math.isnan(run.corruptions.dice_kept):
        worst, kept = run.corruptions.worst_corruption, run.corruptions.dice_kept_under
        least = f", {kept[worst]:.0%} under the worst of them, {worst}" if worst in kept else ""
        said.append(f"Corruptions leave {run.corruptions.dice_kept:.0%} of the clean Dice{least}.")
    if not said and run.history:
        best = f"; its best validation Dice is {run.history.best[0]:.2f}" if run.history.best else ""
        said.append(f"Trained for {run.history.epochs} epochs{best}. Nothing has been evaluated.")
    return said


def limits(runs: Sequence[RunRecords]) -> str:
    """What the findings do not say: how hard was tried, on what, and what else may happen to a scan."""
    attacked = [run.robustness for run in runs if run.robustness and run.robustness.compared_eps is not None]
    said = []
    if attacked:
        protocols = " and ".join(dict.fromkeys(record.protocol for record in attacked))
        said.append(
            f"“Worst” is the lowest Dice that the attacks of {protocols} found; a stronger attack may leave less."
        )
        if any(record.scope == "patch" for record in attacked):
            said.append("A patch of each case was attacked, not its whole volume.")
        if unfinished := sum(len(record.unfinished) for record in attacked):
            said.append(f"The evaluation was stopped: {_cases(unfinished)} unfinished, and in no mean.")
    if any(run.evaluated_cases for run in runs):
        said.append("Other patients, larger changes and changes of another kind are not covered by these figures.")
    if any(run.is_phantom for run in runs):
        said.append("The volumes are computer-made: this shows that all works, no more.")
    return " ".join(said)


def _attacked(record: Robustness, eps: float) -> str:
    pairs = record.clean_and_worst(eps)
    lowest = [dice for _, dice in pairs.values()]
    share = "its range" if record.budget == RANGE else "its contrast"
    interval = ""
    if len(lowest) >= FEWEST:
        _, low, high = bootstrap_mean(lowest)
        interval = f" (95 % interval over cases: {low:.2f} to {high:.2f})"
    hardest = ""
    if len(pairs) > 1:
        case = min(pairs, key=lambda name: pairs[name][1])
        hardest = f"; least is left of {case}: {pairs[case][1]:.2f}"
    return (
        f"Where any value may change by up to {eps:g}/255 of {share}, the mean Dice of {_cases(len(pairs))} falls from "
        f"{record.clean_beside(eps):.2f} to {record.mean_dice(WORST, eps):.2f}{interval} under the worst attack "
        f"found{hardest}."
    )


def _cases(number: int) -> str:
    return "1 case" if number == 1 else f"{number} cases"
