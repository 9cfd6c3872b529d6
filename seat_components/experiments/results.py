"""The results of an experiment as a Markdown page with figures, from the records alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from seat_components.evaluation.theory import margin_loss
from seat_components.experiments.checkpoints import Checkpoint, read_checkpoints
from seat_components.experiments.comparisons import other_settings, sections
from seat_components.experiments.intervals import interval, markdown_table
from seat_components.experiments.plan import Plan
from seat_components.records.attacked import CLEAN, WORST
from seat_components.records.robustness import Robustness
from seat_components.refusals import refuse
from seat_components.reporting import paper
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
        _costs(best),
        _missing(plan, found),
    ]
    for name in plan.attacks:
        parts += [f"## Robustness: {name}\n", robustness_table(found, name, plan.weights), _over_seeds(best, name)]
    parts += [
        *sections([one for one in found if one.is_finished], plan),
        _settings(best, plan),
        "## Theory\n",
        _theory(found, plan),
        *_figures(best, page),
    ]
    page.write_text("\n".join(part for part in parts if part), encoding="utf-8")
    return page


def _costs(found: Sequence[Checkpoint]) -> str:
    header = [
        "run",
        "epochs",
        "backpropagations per batch",
        "paper, 300 epochs",
        "training time",
        "peak memory",
        "clean Dice, whole volumes (95 % over cases)",
    ]
    rows = []
    for one in found:
        published = paper.backpropagations(one.records.task)
        of_method = published.get(_PUBLISHED_AS.get(one.run, ""))
        rows.append(
            [
                one.records.name,
                str(one.history.epochs) if one.is_finished else f"{one.history.epochs}, unfinished",
                f"{one.history.backpropagations:g}",
                NONE if of_method is None else str(of_method),
                duration(one.history["seconds"].tolist()),
                NONE if math.isnan(one.peak_mib) else f"{one.peak_mib:.0f} MiB",
                interval(list(one.clean.values())),
            ]
        )
    return markdown_table(header, rows)


def _missing(plan: Plan, found: Sequence[Checkpoint]) -> str:
    missing = [name for name in plan.runs if name not in {one.run for one in found}]
    return f"Runs of the plan that are not there yet: {', '.join(missing)}.\n" if missing else ""


def robustness_table(found: Sequence[Checkpoint], name: str, weights: Sequence[str]) -> str:
    """Mean Dice of each checkpoint under each attack of the attack run ``name``, as Markdown."""
    done = [one for one in found if one.worst(name)]
    if not done:
        return "Not done yet.\n"
    names = list(dict.fromkeys(attack for one in done for attack in one.attacks[name].attacks))
    attacks = [attack for attack in names if attack != WORST]
    first = done[0].attacks[name]
    rows = []
    for one in done:
        record = one.attacks[name]
        which = f"{one.records.name}, {one.weights}" if len(weights) > 1 else one.records.name
        values = [
            number(record.mean_dice(attack, 0 if attack == CLEAN else record.compared_eps or 0)) for attack in attacks
        ]
        rows.append([which, *values, interval(list(one.worst(name).values()))])
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
        f"on {len(cases)} validation cases{named}; the worst attack per case with its 95 % interval.\n"
    )
    return text + "\n" + markdown_table(["run", *columns, "worst (95 % over cases)"], rows)


def _column(record: Robustness, attack: str) -> str:
    # An attack on some of the cases only, as Square's, has a mean that stands beside the others for itself.
    subset = record.subset(attack)
    return f"{attack} ({subset})" if subset else attack


def _over_seeds(found: Sequence[Checkpoint], name: str) -> str:
    rows = []
    for run in dict.fromkeys(one.run for one in found):
        means = [fmean(one.worst(name).values()) for one in found if one.run == run and one.worst(name)]
        if len(means) > 1:
            rows.append([run, ", ".join(map(number, means)), interval(means)])
    return markdown_table(["run", "worst, mean of each seed", "mean (95 % over seeds)"], rows) if rows else ""


def _settings(found: Sequence[Checkpoint], plan: Plan) -> str:
    table = other_settings(found, plan)
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


def _figures(found: Sequence[Checkpoint], page: Path) -> list[str]:
    # Here and not at the top: matplotlib is an optional extra, which importing this package must not need.
    from seat_components.reporting.robustness_figures import dice_by_budget  # noqa: PLC0415
    from seat_components.reporting.style import png  # noqa: PLC0415
    from seat_components.reporting.training_figures import gradient_norm_by_window  # noqa: PLC0415

    records = [one.records for one in found]
    length = max(1, min(50, max(one.history.epochs for one in found) // 4))
    figures = {
        "gradient_norm": (
            "Mean gradient norm K̃ per method (the paper's Figure 1)",
            gradient_norm_by_window(records, length),
        ),
    }
    attacked = [one for one in records if one.robustness is not None]
    if attacked:
        figures["dice_by_budget"] = ("Dice against ε per method (the paper's Figure 2)", dice_by_budget(attacked))
    lines = ["## Figures\n"]
    for name, (caption, figure) in figures.items():
        file = page.with_name(f"{page.stem}_{name}.png")
        file.write_bytes(png(figure))
        lines.append(f"![{caption}]({file.name})\n\n{caption}.\n")
    return lines
