"""The questions that an experiment answers: runs against each other, paired over cases, and against other settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from monai.bundle import ConfigParser

from seat_components.experiments.checkpoints import Checkpoint
from seat_components.experiments.intervals import FEWEST, markdown_table, paired_difference, rank_correlation
from seat_components.experiments.plan import Plan
from seat_components.records.attacked import WORST
from seat_components.records.theory import Theory
from seat_components.reporting.tables import NONE
from seat_components.training import SelfAdaptiveSchedule

_PAR = 0.02
"""Two methods are on par if their Dice differs by less."""
_PREDICTORS: dict[str, Callable[[Theory], float]] = {
    "gradient norm ‖∇_x ℓ‖₁ (clean input)": lambda theory: theory.gradient_norm_1,
    "log Φ": lambda theory: theory.log_complexity,
    "mean margin": lambda theory: fmean(theory.margins),
}


def against(found: Sequence[Checkpoint], yardstick: str, attacks: Sequence[str]) -> str:
    """Every other run minus ``yardstick``'s of the same seed, in clean and worst-case Dice, and at what cost.

    Empty without the yardstick, or with nothing beside it.
    """
    base = {one.seed: one for one in found if one.run == yardstick}
    rows = []
    for one in found:
        if one.run == yardstick or one.seed not in base:
            continue
        other = base[one.seed]
        backpropagations = one.history.backpropagations / other.history.backpropagations
        rows.append(
            [
                one.records.name,
                f"{backpropagations:.0%}",
                f"{one.seconds / other.seconds:.0%}",
                difference(one.clean, other.clean),
                *(difference(one.worst(name), other.worst(name)) for name in attacks),
            ]
        )
    header = ["run", "backpropagations", "time", "clean Dice", *(f"worst case, {name}" for name in attacks)]
    return markdown_table(header, rows) if rows else ""


def difference(one: Mapping[str, float], other: Mapping[str, float]) -> str:
    """``one`` − ``other`` over their common cases with its 95 % interval, and what that says about being on par."""
    if not set(one) & set(other):
        return NONE
    mean, low, high = paired_difference(one, other)
    if math.isnan(low):
        return f"{mean:+.4f}"
    return f"{mean:+.4f} ({low:+.4f} to {high:+.4f}): {verdict(low, high)}"


def verdict(low: float, high: float) -> str:
    """What an interval of a difference in Dice says."""
    if low > -_PAR and high < _PAR:
        return "on par"
    if low > 0:
        return "higher"
    if high < 0:
        return "lower"
    return "undecided"


def choice_of_weights(found: Sequence[Checkpoint], plan: Plan) -> str:
    """Worst-case Dice of the weights that clean validation chose, minus that of the final ones; empty without both."""
    under_attack = {name for name, run in plan.runs.items() if "select_robust" in run.overlays}
    attacks = list(plan.attacks)
    chosen = {(one.run, one.seed, one.weights): one for one in found}
    rows = []
    for one in found:
        final = chosen.get((one.run, one.seed, "model_final.pt"))
        if one.weights == "model.pt" and final is not None and one.run not in under_attack:
            rows.append([one.records.name, *(difference(one.worst(name), final.worst(name)) for name in attacks)])
    header = ["run", *(f"worst case, {name}" for name in attacks)]
    return markdown_table(header, rows) if rows and len(plan.weights) > 1 else ""


def theory_against_robustness(found: Sequence[Checkpoint], plan: Plan) -> str:
    """How each of the theory's quantities goes with robust Dice over trainings; empty without three of them.

    One checkpoint of each, as a permutation takes them for independent: other weights of the same training, or of a
    run that continues it, may hardly differ.
    """
    continued = {name for name, run in plan.runs.items() if run.continues}
    one_each = [one for one in found if one.weights == plan.weights[0] and one.run not in continued]
    rows = []
    for title, quantity in _PREDICTORS.items():
        for name in plan.attacks:
            pairs = [
                (value, record.mean_dice(WORST, record.compared_eps or 0))
                for one in one_each
                if one.theory
                and not math.isnan(value := quantity(one.theory))
                and (record := one.attacks.get(name)) is not None
            ]
            value, chance = rank_correlation(pairs)
            if not math.isnan(value):
                rows.append([title, name, str(len(pairs)), f"{value:.2f}", f"{chance:.2g}"])
    return markdown_table(["quantity", "worst case under", "trainings", "Spearman's ρ", "p"], rows) if rows else ""


def sections(found: Sequence[Checkpoint], plan: Plan) -> list[str]:
    """The questions with their answers, as Markdown; those without the runs that they need are left out."""
    best = [one for one in found if one.weights == plan.weights[0]]
    names = list(plan.attacks)
    other_starts = {name for name, run in plan.runs.items() if run.pretrained or run.continues}
    variants = [one for one in best if one.run.split("-")[0] == "seat" and one.run not in other_starts]
    questions: dict[str, Callable[[], str]] = {
        "On par with FREE-5, and at what cost? (each run minus free-5)": lambda: against(best, "free-5", names),
        "What does robustness cost in clean Dice? (each run minus clean)": lambda: against(best, "clean", names),
        "What do SEAT's settings change? (each variant minus seat)": lambda: against(variants, "seat", names),
        "Does choosing weights by clean Dice cost robustness? (model.pt minus model_final.pt)": lambda: (
            choice_of_weights(found, plan)
        ),
        "Does the gradient norm predict robust Dice?": lambda: theory_against_robustness(found, plan),
    }
    answers = {question: answer() for question, answer in questions.items()}
    parts = [f"### {question}\n\n{answer}" for question, answer in answers.items() if answer]
    if not parts:
        return []
    note = (
        "Differences are paired over the cases that both have, with their 95 % bootstrap interval. "
        f"On par: the interval lies within ±{_PAR:g}; undecided: it holds 0 and reaches beyond ±{_PAR:g}. "
        f"Fewer than {FEWEST} cases have no interval.\n"
    )
    return ["## Questions\n", note, *parts]


SETTINGS: dict[str, dict[str, Any]] = {
    "q = 1": {"update_every": 1},
    "q = 2": {"update_every": 2},
    "q = 3": {"update_every": 3},
    "φ = 1": {"relax": 1.0},
    "φ = 1.05": {"relax": 1.05},
    "φ = 1.2": {"relax": 1.2},
    "g_max = 3": {"g_max": 3},
    "g_max = 8": {"g_max": 8},
    "g_min = 3": {"g_min": 3},
    "threshold renewed only where g changes": {"update_threshold": "on_change"},
    "threshold renewed only where g changes, φ = 1": {"update_threshold": "on_change", "relax": 1.0},
}

_ARGUMENTS = ("update_every", "relax", "g_max", "update_threshold", "g_min")


def schedule_of(plan: Plan, run: str) -> SelfAdaptiveSchedule | None:
    """The schedule that ``run`` trains with, new; None for a method that does not adapt."""
    entry = plan.runs[run]
    config = ConfigParser()
    config.read_config([str(plan.bundle / "configs" / f"{name}.json") for name in ("train", *entry.overlays)])
    for name, value in {**plan.common, **plan.train, **entry.train}.items():
        config[name] = value
    schedule = config.get_parsed_content("schedule") if "schedule" in config else None
    return schedule if isinstance(schedule, SelfAdaptiveSchedule) else None


def asked(schedule: SelfAdaptiveSchedule, norms: Sequence[float]) -> list[int]:
    """g of each epoch that a new ``schedule`` asks for, where epoch i + 1 ends with gradient norm ``norms[i]``."""
    return [schedule.g] + [schedule.update(epoch, norm) for epoch, norm in enumerate(norms[:-1], start=1)]


def first_difference(recorded: Sequence[int], other: Sequence[int]) -> str:
    """Where another setting leaves the recorded run; what it would do after that, the record cannot tell."""
    for epoch, (before, after) in enumerate(zip(recorded, other, strict=True), start=1):
        if before != after:
            return f"epoch {epoch}: {after} for {before}"
    return "the same training"


def other_settings(found: Sequence[Checkpoint], plan: Plan) -> str:
    """A table of settings by run; empty without a run of SEAT."""
    columns: dict[str, list[str]] = {}
    for one in found:
        schedule = schedule_of(plan, one.run)
        if schedule is None:
            continue
        norms = one.history["gradient_norm"].tolist()
        own = {name: getattr(schedule, name) for name in _ARGUMENTS}
        recorded = one.history["g"].astype(int).tolist()
        columns[one.records.name] = [
            "its own"
            if own == {**own, **changed}
            else first_difference(recorded, asked(SelfAdaptiveSchedule(**{**own, **changed}), norms))
            for changed in SETTINGS.values()
        ]
    rows = [[title, *cells] for title, *cells in zip(SETTINGS, *columns.values(), strict=True)]
    return markdown_table(["setting", *columns], rows) if columns else ""
