"""The questions that an experiment answers: runs against each other, paired over cases and seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean

from seat_components.experiments.checkpoints import Checkpoint, by_run
from seat_components.experiments.intervals import markdown_table, paired_difference, rank_correlation
from seat_components.experiments.plan import Plan
from seat_components.records.attacked import WORST
from seat_components.records.bootstrap import FEWEST
from seat_components.records.theory import Theory
from seat_components.reporting.tables import NONE

_PAR = 0.02
"""Two methods are on par if their Dice differs by less."""
_PREDICTORS: dict[str, Callable[[Theory], float]] = {
    "gradient norm ‖∇_x ℓ‖₁ (clean input)": lambda theory: theory.gradient_norm_1,
    "log Φ": lambda theory: theory.log_complexity,
    "mean margin": lambda theory: fmean(theory.margins),
}


def against(found: Sequence[Checkpoint], yardstick: str, attacks: Sequence[str]) -> str:
    """Every other run minus ``yardstick``, seed by seed, in clean and worst-case Dice, and at what cost.

    Empty without the yardstick, or with nothing beside it.
    """
    base = {one.seed: one for one in found if one.run == yardstick}
    rows = []
    for run in by_run(found):
        pairs = [(one, base[one.seed]) for one in run if one.seed in base]
        if run[0].run == yardstick or not pairs:
            continue
        rows.append(
            [
                run[0].run,
                _share(pairs, lambda one: one.history.backpropagations),
                _share(pairs, lambda one: one.seconds),
                difference([(one.clean, other.clean) for one, other in pairs]),
                *(difference([(one.worst(name), other.worst(name)) for one, other in pairs]) for name in attacks),
            ]
        )
    header = ["run", "backpropagations", "time", "clean Dice", *(f"worst case, {name}" for name in attacks)]
    return markdown_table(header, rows) if rows else ""


def _share(pairs: Sequence[tuple[Checkpoint, Checkpoint]], cost: Callable[[Checkpoint], float]) -> str:
    """What the first of all pairs cost, as a share of what the second did."""
    return f"{sum(cost(one) for one, _ in pairs) / sum(cost(other) for _, other in pairs):.0%}"


def difference(pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> str:
    """The first minus the second of each seed's pair, over their common cases, with the 95 % interval and a verdict."""
    measured = [(one, other) for one, other in pairs if set(one) & set(other)]
    if not measured:
        return NONE
    mean, low, high = paired_difference(measured)
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
    for run in by_run(found):
        if run[0].weights != "model.pt" or run[0].run in under_attack:
            continue
        pairs = [(one, final) for one in run if (final := chosen.get((one.run, one.seed, "model_final.pt")))]
        if pairs:
            of = [difference([(one.worst(name), other.worst(name)) for one, other in pairs]) for name in attacks]
            rows.append([run[0].run, *of])
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


def _question(yardstick: str) -> str:
    papers = yardstick.split("-")[:2] == ["free", "5"]
    return f"{'On par with FREE-5' if papers else 'What is gained or lost'}, and at what cost?"


def sections(found: Sequence[Checkpoint], plan: Plan) -> list[str]:
    """The questions with their answers, as Markdown; those without the runs that they need are left out."""
    best = [one for one in found if one.weights == plan.weights[0]]
    names = list(plan.attacks)
    other_starts = {name for name, run in plan.runs.items() if run.pretrained or run.continues}
    variants = [one for one in best if one.run.split("-")[0] == "seat" and one.run not in other_starts]
    questions: dict[str, Callable[[], str]] = {
        **{
            f"{_question(name)} (each run minus {name})": partial(against, best, name, names)
            for name in plan.yardsticks
        },
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
        "Differences are paired over the cases that both have, with their 95 % interval: by the bootstrap over cases, "
        "or, of several seeds, for other cases and other seeds alike. "
        f"On par: the interval lies within ±{_PAR:g}; undecided: it holds 0 and reaches beyond ±{_PAR:g}. "
        f"Fewer than {FEWEST} cases have no interval.\n"
    )
    return ["## Questions\n", note, *parts]
