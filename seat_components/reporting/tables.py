"""The tables of the report: records in, cells out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from seat_components.budget import RANGE
from seat_components.records.attacked import CLEAN, WORST
from seat_components.records.robustness import Robustness
from seat_components.reporting import paper
from seat_components.reporting.page import Table
from seat_components.reporting.records import RunRecords

NONE = "—"
_NOT_SAID = "not written"


def number(value: float, form: str = ".4f") -> str:
    """A number for a cell; a dash where it was not measured."""
    return NONE if math.isnan(value) else format(value, form)


def count(value: float) -> str:
    """A whole number for a cell, thousands apart; decimals only where it is not whole."""
    return NONE if math.isnan(value) else format(value, ",.0f" if value == round(value) else ",.1f")


def key_numbers(runs: Sequence[RunRecords]) -> Table:
    """The numbers to read first: one column per run, one line per quantity that any run has."""
    lines: list[tuple[str, Callable[[RunRecords], str]]] = [
        ("Task", lambda run: run.task or NONE),
        ("Method", lambda run: run.description.method or NONE),
        ("Data", lambda run: run.data or NONE),
        ("Cases evaluated", lambda run: NONE if run.evaluated_cases is None else str(len(run.evaluated_cases))),
        ("Epochs trained", lambda run: str(run.history.epochs) if run.history else NONE),
        ("Backpropagations per batch", lambda run: count(run.history.backpropagations) if run.history else NONE),
        ("Training time", lambda run: duration(run.history["seconds"].tolist()) if run.history else NONE),
        ("Best validation Dice (epoch)", _best),
        ("Clean Dice, whole volumes", lambda run: number(run.metrics.mean_dice) if run.metrics else NONE),
        ("Clean Dice, the protocol's inputs", _clean),
        ("Attack budget ε", _compared_eps),
        ("Dice averaged over attacks", lambda run: _at_compared(run.robustness, Robustness.average)),
        ("Worst-case Dice", lambda run: _at_compared(run.robustness, lambda it, eps: it.mean_dice(WORST, eps))),
        (
            "Dice kept under corruptions",
            lambda run: number(run.corruptions.dice_kept, ".1%") if run.corruptions else NONE,
        ),
        ("Worst corruption", lambda run: (run.corruptions and run.corruptions.worst_corruption) or NONE),
        (
            "Largest |adv − x| / ε_b",
            lambda run: number(run.robustness.largest_linf, ".6f") if run.robustness else NONE,
        ),
        ("Weights (SHA-256)", lambda run: " ".join(sha[:12] for sha in run.weights) or NONE),
    ]
    rows = [[name, *(cell(run) for run in runs)] for name, cell in lines]
    return Table(
        "",
        ["", *(run.name for run in runs)],
        [row for row in rows if any(cell != NONE for cell in row[1:])],
        "Dice is the mean over foreground classes and cases. The worst case takes, per volume, the lowest Dice of all "
        f"attacks that ran, at the attack budget. {NONE}: not measured.",
    )


def duration(seconds: Sequence[float]) -> str:
    """The sum of measured seconds as hours and minutes, or minutes and seconds below an hour."""
    measured = [value for value in seconds if not math.isnan(value)]
    if not measured:
        return NONE
    minutes, rest = divmod(round(sum(measured)), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def clean_metrics(run: RunRecords) -> Table | None:
    """Dice and surface distances by label, on whole volumes."""
    if run.metrics is None:
        return None
    rows = [
        [
            run.label_name(label),
            number(it.dice),
            number(it.hausdorff95_mm, ".2f"),
            number(it.surface_distance_mm, ".2f"),
        ]
        for label, it in run.metrics.labels.items()
    ]
    rows.append(["mean", number(run.metrics.mean_dice), NONE, NONE])
    return Table(
        f"{run.name}: clean, on whole volumes",
        ["Label", "Dice", "Hausdorff 95 % [mm]", "Mean surface distance [mm]"],
        rows,
        f"{len(run.metrics.cases)} cases. Absent classes: {run.metrics.rule.rstrip('.') or _NOT_SAID}.",
    )


def backpropagations_table(runs: Sequence[RunRecords]) -> Table | None:
    """Backpropagations per batch beside the paper's Table 1."""
    rows = []
    for run in runs:
        if run.history:
            total, epochs = run.history.backpropagations, run.history.epochs
            printed = {} if run.is_phantom else paper.backpropagations(run.task)
            rows.append(
                [
                    run.name,
                    str(epochs),
                    count(total),
                    count(total * paper.EPOCHS / epochs),
                    *(count(printed.get(name, math.nan)) for name in ("SEAT", "SEAT-FT", "FREE/FREE-FT")),
                ]
            )
    if not rows:
        return None
    return Table(
        "Backpropagations per batch (the paper's Table 1)",
        ["Run", "Epochs", "Counted", "Scaled to 300 epochs", "Paper: SEAT", "Paper: SEAT-FT", "Paper: FREE"],
        rows,
        "Counted where a backward pass was called. The paper's columns are for this task, in 300 epochs. Scaling is "
        "proportional, which for SEAT in a short run gives its clean first epochs too much weight.",
    )


def attack_table(run: RunRecords) -> Table | None:
    """Dice by attack at ε = 8/255 beside the paper's Table 2, where the paper has this task and attack."""
    record = run.robustness
    if record is None or record.compared_eps is None:
        return None
    eps = record.compared_eps
    labels = list(dict.fromkeys(label for row in record.summary for label in row.dice))
    comparable = is_beside_paper(run, record)
    rows = []
    for attack in record.attacks:
        found = [row for row in record.summary if row.attack == attack and row.eps_255 in (0, eps)]
        if found:
            row = max(found, key=lambda row: row.eps_255)
            printed = paper.dice(run.task, attack) if comparable else {}
            beside = [number(printed.get(epochs, math.nan)) for epochs in paper.CHECKPOINT_EPOCHS] if comparable else []
            cells = [number(row.dice.get(label, math.nan)) for label in labels]
            subset = record.subset(attack, row.eps_255)
            rows.append([attack + (f" ({subset})" if subset else ""), number(row.mean_dice), *cells, *beside])
    rows.append(
        ["average over attacks", number(record.average(eps)), *[NONE] * (len(labels) + (3 if comparable else 0))]
    )
    ours = f"protocol {record.protocol}, {len(record.case_names)} cases, ε = {record.eps_in_words(eps)}"
    return Table(
        f"{run.name}: Dice by attack" + (" (the paper's Table 2)" if comparable else ""),
        [
            "Attack",
            "Mean",
            *(run.label_name(label) for label in labels),
            *(f"Paper's SEAT, {epochs} epochs" for epochs in paper.CHECKPOINT_EPOCHS if comparable),
        ],
        rows,
        f"Ours: {ours}." + ("" if comparable else f" {_why_alone(run, record, eps)}"),
    )


def is_beside_paper(run: RunRecords, record: Robustness) -> bool:
    """Whether the paper's Table 2 has this task, and the run its budget and real data."""
    in_print = record.at_papers_budget and paper.task_index(run.task) is not None
    return in_print and not run.is_phantom


def size_table(run: RunRecords) -> Table | None:
    """Dice of small, middle and large structures, clean and in the worst case."""
    record = run.robustness
    if record is None or record.compared_eps is None or not record.by_size:
        return None
    found = {(row.label, row.size, row.attack, row.eps_255): row for row in record.by_size}
    rows = []
    for label, size in dict.fromkeys((row.label, row.size) for row in record.by_size):
        clean, worst = found.get((label, size, CLEAN, 0)), found.get((label, size, WORST, record.compared_eps))
        if clean and worst:
            extent = [" – ".join(f"{ml:.3g}" for ml in clean.ml), count(clean.cases)]
            fall = clean.dice - worst.dice if clean.cases == worst.cases else math.nan  # of the same cases
            dice = [number(clean.dice), number(worst.dice), number(fall)]
            rows.append([f"{run.label_name(label)}, {size}", *extent, *dice])
    return Table(
        f"{run.name}: Dice by size of the structure, ε = {record.compared_eps:g}/255",
        ["Label, size", "Volume [ml]", "Cases", "Clean", "Worst case", "Fall"],
        rows,
        f"{record.size_rule} Volumes are those of {record.inputs or 'the attacked inputs'}.",
    )


def costs(run: RunRecords) -> Table | None:
    """What each attack cost: passes of the network and seconds."""
    record = run.robustness
    if record is None or not record.cost:
        return None
    return Table(
        f"{run.name}: cost by attack",
        ["Attack", "Forward passes", "Backward passes", "Seconds"],
        [
            [attack, count(cost.forwards), count(cost.backwards), number(cost.seconds, ",.1f")]
            for attack, cost in record.cost.items()
        ],
        f"Passes count samples; all cases and budgets together, on {record.computed_on or _NOT_SAID}.",
    )


def protocol(run: RunRecords) -> Table | None:
    """What is needed to run the same evaluation again."""
    record = run.robustness
    if record is None:
        return None
    rows = [
        ["bundle", record.bundle or "unnamed"],
        ["weights, SHA-256", record.weights_sha256 or NONE],
        ["protocol", record.protocol],
        ["seed", _NOT_SAID if record.seed is None else str(record.seed)],
        ["inputs", record.inputs or NONE],
        ["data", record.data or NONE],
        ["cases", str(len(record.case_names))],
        ["ε is a share of the", record.budget],
        ["budgets ε · 255", ", ".join(f"{eps:g}" for eps in record.budgets) or NONE],
        ["device", record.computed_on or _NOT_SAID],
        *([name, options] for name, options in record.options.items() if options),
        *([name, version] for name, version in record.versions.items()),
    ]
    return Table(f"{run.name}: how robustness was measured", ["", ""], rows, record.rule)


def _best(run: RunRecords) -> str:
    best = run.history.best if run.history else None
    if not best:
        return NONE
    images = run.description.val_images
    return f"{number(best[0])} ({best[1]})" + ("" if images == "clean" else f", {images}")


def _clean(run: RunRecords) -> str:
    return NONE if run.robustness is None else number(run.robustness.clean_beside(run.robustness.compared_eps))


def _compared_eps(run: RunRecords) -> str:
    record = run.robustness
    return NONE if record is None or record.compared_eps is None else record.eps_in_words(record.compared_eps)


def _at_compared(record: Robustness | None, value: Callable[[Robustness, float], float]) -> str:
    return NONE if record is None or record.compared_eps is None else number(value(record, record.compared_eps))


def _why_alone(run: RunRecords, record: Robustness, eps: float) -> str:
    if run.is_phantom:
        return "These are computer-made phantoms, beside which the paper's values do not belong."
    if paper.task_index(run.task) is None:
        return f"The paper has no values for {run.task or 'an unnamed task'}."
    if record.budget != RANGE:
        return f"The paper's budget is a share of the range; its values do not belong beside those of {record.budget}."
    return (
        f"The paper's Table 2 is at ε = 8/255, which was not run; its values do not belong beside those at {eps:g}/255."
    )
