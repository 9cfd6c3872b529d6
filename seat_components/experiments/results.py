"""The results of an experiment as a Markdown page with figures, from the records alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from seat_components.evaluation.theory import margin_loss
from seat_components.experiments.checkpoints import Checkpoint, by_run, read_checkpoints
from seat_components.experiments.comparisons import sections
from seat_components.experiments.figures import figures
from seat_components.experiments.intervals import interval, markdown_table
from seat_components.experiments.plan import Plan
from seat_components.experiments.schedules import other_settings
from seat_components.records.attacked import CLEAN, WORST
from seat_components.records.robustness import Robustness
from seat_components.refusals import refuse
from seat_components.reporting import paper
from seat_components.reporting.methods import over_seeds
from seat_components.reporting.tables import NONE, duration, number

_MOST_NAMED = 12
# The rows of the paper's Table 1 that runs of these names repeat.
_PUBLISHED_AS = {"seat": "SEAT", "seat-ft": "SEAT-FT", "free-5": "FREE/FREE-FT", "free-ft": "FREE/FREE-FT"}


def write_results(plan: Plan, page: Path, command: str) -> Path:
    """Write the page, and its figures beside it as ``<page>_*.png``.

    Args:
        plan: whose records are read; what is not done yet is missing from the page.
        page: the Markdown file.
        command: what produced the records, said on the page.

    Raises:
        RefusalError: if no run has finished an epoch.
    """
    found = read_checkpoints(plan)
    if not found:
        refuse(f"{plan.out} has no run with a finished epoch yet: run the experiment first")
    page.parent.mkdir(parents=True, exist_ok=True)
    best = [checkpoint for checkpoint in found if checkpoint.weights == plan.weights[0]]
    parts = [
        f"# {plan.title}\n",
        f"Written by `{command}` from the records below `{plan.out}`.\n",
        *([f"{plan.remark}\n"] if plan.remark else []),
        "## Cost and clean accuracy\n",
        _costs(best, plan),
        _missing(plan, found),
    ]
    for name in plan.attacks:
        parts += [f"## Robustness: {name}\n", robustness_table(found, name, plan.weights), _over_seeds(best, name)]
    parts += [
        *sections([one for one in found if one.is_finished], plan),
        _settings(best, plan),
        *(["## Theory\n", _theory(found, plan)] if plan.theory else []),
        *figures(best, plan, page),
    ]
    page.write_text("\n".join(part for part in parts if part), encoding="utf-8")
    return page


def _costs(found: Sequence[Checkpoint], plan: Plan) -> str:
    header = [
        "run",
        "epochs",
        "backpropagations per batch",
        "paper, 300 epochs",
        "training time",
        "peak memory",
        "clean Dice, whole volumes (95 %)",
    ]
    rows = []
    for seeds in by_run(found):
        run = [one for one in seeds if one.is_finished] or seeds
        one, planned = run[0], len(plan.seeds_of(run[0].run))
        epochs = f"{min(one.history.epochs for one in run)}{'' if one.is_finished else ', unfinished'}"
        published = paper.backpropagations(one.records.task)
        of_method = published.get(_PUBLISHED_AS.get(one.run, ""))
        rows.append(
            [
                one.run,
                epochs if len(run) == planned else f"{epochs}; {len(run)} of {planned} seeds",
                f"{fmean(one.history.backpropagations for one in run):.4g}",
                NONE if of_method is None else str(of_method),
                duration([fmean(one.seconds for one in run)]),
                NONE if math.isnan(peak := max(one.peak_mib for one in run)) else f"{peak:.0f} MiB",
                interval([one.clean for one in run]),
            ]
        )
    return markdown_table(header, rows)


def _missing(plan: Plan, found: Sequence[Checkpoint]) -> str:
    missing = [name for name in plan.runs if name not in {one.run for one in found}]
    return f"Runs of the plan that are not there yet: {', '.join(missing)}.\n" if missing else ""


def robustness_table(found: Sequence[Checkpoint], name: str, weights: Sequence[str]) -> str:
    """Mean Dice of each run's weights under each attack of the attack run ``name``, over its seeds, as Markdown."""
    done = [one for one in found if one.worst(name)]
    if not done:
        return "Not done yet.\n"
    names = list(dict.fromkeys(attack for one in done for attack in one.attacks[name].attacks))
    attacks = [attack for attack in names if attack != WORST]
    first = done[0].attacks[name]
    rows = []
    for run in by_run(done):
        which = f"{run[0].run}, {run[0].weights}" if len(weights) > 1 else run[0].run
        records = [one.attacks[name] for one in run]
        values = [fmean(_mean_dice(record, attack) for record in records) for attack in attacks]
        rows.append([which, *map(number, values), interval([one.worst(name) for one in run])])
    for epochs in paper.CHECKPOINT_EPOCHS:
        published = [paper.dice(done[0].records.task, attack).get(epochs, math.nan) for attack in attacks]
        comparable = first.protocol == "paper" and first.at_papers_budget
        if comparable and not all(map(math.isnan, published)):
            rows.append([f"the paper's SEAT, {epochs} epochs", *map(number, published), NONE])
    cases = sorted(first.case_names)
    # Few cases are named, as another copy of the dataset may hold others in their place.
    named = f" ({', '.join(cases)})" if len(cases) <= _MOST_NAMED else ""
    columns = [_column(first, attack) for attack in attacks]
    text = (
        f"Mean foreground Dice at ε = {first.eps_in_words(first.compared_eps or 0)} "
        f"on {len(cases)} validation cases{named}; the worst attack per case with its 95 % interval"
        f"{' over cases and seeds' if len(done) > len(by_run(done)) else ''}.\n"
    )
    return text + "\n" + markdown_table(["run", *columns, "worst (95 %)"], rows)


def _mean_dice(record: Robustness, attack: str) -> float:
    return record.mean_dice(attack, _eps(record, attack))


def _eps(record: Robustness, attack: str) -> float:
    return 0 if attack == CLEAN else record.compared_eps or 0


def _column(record: Robustness, attack: str) -> str:
    # An attack on some of the cases only, as Square's, has a mean that stands beside the others for itself.
    subset = record.subset(attack, _eps(record, attack))
    return f"{attack} ({subset})" if subset else attack


def _over_seeds(found: Sequence[Checkpoint], name: str) -> str:
    rows = []
    for run in by_run([one for one in found if one.worst(name)]):
        if len(run) > 1:
            clean = [fmean(values) for one in run if (values := one.clean.values())]
            worst = [fmean(one.worst(name).values()) for one in run]
            cost = fmean(one.history.backpropagations for one in run)
            rows.append([run[0].run, f"{cost:.4g}", *(cell for means in (clean, worst) for cell in _of_seeds(means))])
    header = ["run", "backpropagations per batch"]
    header += [f"{what}{part}" for what in ("clean", "worst") for part in (", mean of each seed", " (95 % over seeds)")]
    return markdown_table(header, rows) if rows else ""


def _of_seeds(means: Sequence[float]) -> tuple[str, str]:
    """The mean of each seed, and theirs with its interval."""
    if not means:
        return NONE, NONE
    mean, half = over_seeds(means)
    return ", ".join(map(number, means)), number(mean) if math.isnan(half) else f"{mean:.4f} ± {half:.4f}"


def _settings(found: Sequence[Checkpoint], plan: Plan) -> str:
    # Seeds of a run differ little in what they would have asked for: the first stands for all.
    table = other_settings([run[0] for run in by_run(found)], plan)
    if not table:
        return ""
    text = (
        "The gradient norms that each run of SEAT recorded, given to the schedule with other settings: the first epoch "
        "whose g would have been another. Up to there both settings ask for the same training.\n"
    )
    return f"## Where other settings would have changed SEAT's g\n\n{text}\n{table}"


def _theory(found: Sequence[Checkpoint], plan: Plan) -> str:
    done = [(one, one.theory) for one in found if one.theory]
    if not done:
        return "Not done yet.\n"
    # A γ says something where it parts the examples: the quartiles of all their margins.
    margins = [margin for _, theory in done for margin in theory.margins]
    gammas = [float(f"{gamma:.3g}") for gamma in np.quantile(margins, (0.25, 0.5, 0.75))]
    several = len(plan.weights) > 1
    rows = [
        [
            f"{one.records.name}, {one.weights}" if several else one.records.name,
            f"{fmean(theory.margins):.4g}",
            *(f"{margin_loss(theory.margins, gamma):.2f}" for gamma in gammas),
            NONE if math.isnan(theory.log_complexity) else f"{theory.log_complexity:.4g}",
            *(f"{norm:.4g}" for norm in (theory.gradient_norm_1, theory.gradient_norm_2)),
        ]
        for one, theory in done
    ]
    losses = [f"L_γ, γ = {gamma:g}" for gamma in gammas]
    text = (
        f"Over the {done[0][1].cases} cases that any attack saw. L_γ: the share of cases whose mean voxel "
        "margin is at most γ, here at the quartiles of all checkpoints' margins.\n"
    )
    header = ["checkpoint", "mean margin", *losses, "log Φ", "‖∇_x ℓ‖₁", "‖∇_x ℓ‖₂"]
    return text + "\n" + markdown_table(header, rows)
