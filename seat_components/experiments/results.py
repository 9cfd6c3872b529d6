"""The results of an experiment as a Markdown page with figures, from the records alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seat_components.experiments import theory
from seat_components.experiments.intervals import bootstrap_mean, paired_difference, rank_correlation
from seat_components.experiments.plan import Plan
from seat_components.experiments.steps import run_folder
from seat_components.refusals import refuse
from seat_components.reporting import history as history_records
from seat_components.reporting import metrics as metrics_records
from seat_components.reporting import paper
from seat_components.reporting import robustness as robustness_records
from seat_components.reporting.history import History
from seat_components.reporting.records import Description, RunRecords
from seat_components.reporting.robustness import WORST, Robustness
from seat_components.reporting.tables import duration


@dataclass(frozen=True)
class Checkpoint:
    """What was recorded of the weights of a run that finished an epoch.

    Attributes:
        run: the run's name.
        seed: its seed.
        weights: "model.pt" or "model_final.pt".
        history: its training.
        records: all records, with the robustness under the plan's first attack.
        attacks: robustness by the attack's name in the plan; those done.
        theory: theory.json; empty where it was not done.
    """

    run: str
    seed: int
    weights: str
    history: History
    records: RunRecords
    attacks: dict[str, Robustness]
    theory: dict[str, Any]


def checkpoints(plan: Plan) -> list[Checkpoint]:
    """Everything that the plan's runs have recorded so far."""
    found = []
    for run in plan.runs:
        for seed in plan.seeds:
            file = run_folder(plan, run.name, seed) / history_records.FILE
            history = history_records.read_history(file) if file.is_file() else None
            if history is not None:
                found += [_checkpoint(plan, run.name, seed, weights, history) for weights in plan.weights]
    return found


def _checkpoint(plan: Plan, run: str, seed: int, weights: str, history: History) -> Checkpoint:
    folder = run_folder(plan, run, seed)
    place = (folder / weights).with_suffix("")
    attacks = {
        name: robustness_records.read_robustness(file)
        for name in plan.attacks
        if (file := place / name / robustness_records.FILE).is_file()
    }
    clean = place / "evaluate" / metrics_records.FILE
    name = run if len(plan.seeds) == 1 else f"{run}, seed {seed}"
    records = RunRecords(
        folder=folder,
        description=Description(name, "", run, plan.dataset_dir.name, "", {}),
        history=history,
        metrics=metrics_records.read_metrics(clean) if clean.is_file() else None,
        robustness=next(iter(attacks.values()), None),
        slices=(),
    )
    file = place / "theory" / theory.FILE
    quantities = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return Checkpoint(run, seed, weights, history, records, attacks, quantities)


def write_results(plan: Plan, page: Path, command: str) -> Path:
    """Write the page, and its figures beside it as ``<page>_*.png``.

    Args:
        plan: whose records are read; what is not done yet is missing from the page.
        page: the Markdown file.
        command: what produced the records, said on the page.

    Raises:
        RefusalError: if no run has finished an epoch.
    """
    found = checkpoints(plan)
    if not found:
        refuse(f"{plan.out} has no run with a finished epoch yet: run the experiment first")
    best = [checkpoint for checkpoint in found if checkpoint.weights == plan.weights[0]]
    parts = [
        f"# {plan.title}\n",
        f"Written by `{command}` from the records below `{plan.out}`.\n",
        *([f"{plan.remark}\n"] if plan.remark else []),
        "## Cost and clean accuracy\n",
        _costs(best),
    ]
    for name in plan.attacks:
        parts += [f"## Robustness: {name}\n", _robustness(found, name, plan.weights), _paired(best, name)]
    parts += ["## Gradient norm and theory\n", _theory(found, plan), *_figures(best, page)]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(part for part in parts if part), encoding="utf-8")
    return page


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _interval(values: Sequence[float]) -> str:
    if not values:
        return "–"
    mean, low, high = bootstrap_mean(values)
    return _number(mean) if math.isnan(low) else f"{mean:.4f} ({low:.4f} to {high:.4f})"


def _costs(found: Sequence[Checkpoint]) -> str:
    header = [
        "run",
        "epochs",
        "backpropagations per batch",
        "paper, 300 epochs",
        "training time",
        "clean Dice, whole volumes (95 % over cases)",
    ]
    rows = []
    for one in found:
        published = paper.backpropagations(one.records.task)
        of_method = next((value for name, value in published.items() if name.lower() == one.run.lower()), None)
        clean = [] if one.records.metrics is None else list(one.records.metrics.cases.values())
        rows.append(
            [
                one.records.name,
                str(one.history.epochs),
                f"{one.history.backpropagations:g}",
                "–" if of_method is None else str(of_method),
                duration(one.history["seconds"].tolist()),
                _interval(clean),
            ]
        )
    return _table(header, rows)


def _cases(robustness: Robustness, attack: str) -> dict[str, float]:
    eps = robustness.compared_eps
    return {row.case: row.mean_dice for row in robustness.cases if row.attack == attack and row.eps_255 == eps}


def _robustness(found: Sequence[Checkpoint], name: str, weights: Sequence[str]) -> str:
    done = [one for one in found if name in one.attacks]
    if not done:
        return "Not done yet.\n"
    names = list(dict.fromkeys(attack for one in done for attack in one.attacks[name].attacks))
    attacks = [attack for attack in names if attack != WORST]
    eps = done[0].attacks[name].compared_eps
    rows = []
    for one in done:
        record = one.attacks[name]
        which = f"{one.records.name}, {one.weights}" if len(weights) > 1 else one.records.name
        values = [
            _number(record.mean_dice(attack, 0 if attack == "clean" else record.compared_eps or 0))
            for attack in attacks
        ]
        rows.append([which, *values, _interval(list(_cases(record, WORST).values()))])
    cases = len(done[0].attacks[name].case_names)
    text = (
        f"Mean foreground Dice at ε = {eps:g}/255 on {cases} validation cases; "
        "the worst attack per case with its 95 % interval.\n"
    )
    return text + "\n" + _table(["run", *attacks, "worst (95 % over cases)"], rows)


def _paired(found: Sequence[Checkpoint], name: str, yardstick: str = "free-5") -> str:
    done = [one for one in found if name in one.attacks]
    base = {one.seed: one for one in done if one.run == yardstick}
    rows = []
    for one in done:
        if one.run == yardstick or one.seed not in base:
            continue
        other = base[one.seed]
        mean, low, high = paired_difference(_cases(one.attacks[name], WORST), _cases(other.attacks[name], WORST))
        share = one.history.backpropagations / other.history.backpropagations
        rows.append([one.records.name, f"{mean:+.4f} ({low:+.4f} to {high:+.4f})", f"{share:.0%}"])
    if not rows:
        return ""
    header = ["run", f"worst-case Dice minus {yardstick}'s, paired over cases (95 %)", "share of its backpropagations"]
    return _table(header, rows)


def _theory(found: Sequence[Checkpoint], plan: Plan) -> str:
    done = [one for one in found if one.theory]
    if not done:
        return "Not done yet.\n"
    names = ("mean_margin", "log_complexity", "gradient_norm_1", "gradient_norm_2")
    several = len(plan.weights) > 1
    rows = [
        [
            f"{one.records.name}, {one.weights}" if several else one.records.name,
            *(f"{one.theory[name]:.4g}" for name in names),
            ", ".join(f"γ={gamma}: {value:.2f}" for gamma, value in one.theory["margin_loss"].items()),
        ]
        for one in done
    ]
    text = _table(["checkpoint", "mean margin", "log Φ", "‖∇_x ℓ‖₁", "‖∇_x ℓ‖₂", "L_γ"], rows)
    for name in plan.attacks:
        pairs = [
            (float(one.theory["gradient_norm_1"]), record.mean_dice(WORST, record.compared_eps or 0))
            for one in done
            if (record := one.attacks.get(name)) is not None
        ]
        value, chance = rank_correlation(pairs)
        if not math.isnan(value):
            text += (
                f"\nGradient norm ‖∇_x ℓ‖₁ (clean input) against worst-case Dice under {name}, over {len(pairs)} "
                f"checkpoints: Spearman's ρ = {value:.2f} (p = {chance:.2g}).\n"
            )
    return text


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
        "dice_by_budget": ("Dice against ε per method (the paper's Figure 2)", dice_by_budget(records)),
    }
    lines = ["## Figures\n"]
    page.parent.mkdir(parents=True, exist_ok=True)
    for name, (caption, figure) in figures.items():
        file = page.with_name(f"{page.stem}_{name}.png")
        file.write_bytes(png(figure))
        lines.append(f"![{caption}]({file.name})\n\n{caption}.\n")
    return lines
