"""The captioned pictures of the report: which figures there are, and what each one shows."""

from __future__ import annotations

from collections.abc import Sequence, Sized

from seat_components.records.slices import largest_falls, typical_case
from seat_components.reporting.dice_by_cost import dice_by_cost
from seat_components.reporting.methods import Method, methods_of, readable
from seat_components.reporting.page import Image
from seat_components.reporting.records import RunRecords
from seat_components.reporting.robustness_figures import (
    clean_against_worst,
    dice_by_attack,
    dice_by_budget,
    fallen_by_budget,
    share_against_worst,
)
from seat_components.reporting.slice_figures import attacked_slices, before_and_after
from seat_components.reporting.style import png, run_styles
from seat_components.reporting.training_figures import gradient_norm_by_window, training_curves

_WINDOW = 50
_MOST_ROWS = 4


def finding(runs: Sequence[RunRecords]) -> Image | None:
    """Scan and predictions of one case, the same of each run where they have one in common; None without slices."""
    runs = [run for run in runs if run.slices][:_MOST_ROWS]
    case = typical_case([run.slices for run in runs])
    if runs and not case:
        runs = runs[:1]
        case = typical_case([runs[0].slices])
    shown = [(run, next(one for one in run.slices if one.case == case)) for run in runs]
    if not shown:
        return None
    of = f" of the {len(runs[0].slices)} recorded" if len(runs[0].slices) > 1 else ""
    attacks = ", ".join(f"{run.name} by {one.attack}, ε = {one.eps_255:g}/255" for run, one in shown)
    return Image(
        "finding",
        "",
        f"{case}: its loss of Dice is the median{of}, so it is neither the best nor the worst of them. Attacked: "
        f"{attacks}. The Dice is of the whole case.",
        png(before_and_after(shown)),
    )


def training(runs: Sequence[RunRecords]) -> list[Image]:
    """Training curves of each run, and mean K̃ of all of them."""
    images = []
    for i, (run, style) in enumerate(zip(runs, run_styles(runs), strict=True), start=1):
        if run.history and run.history.epochs > 1:
            images.append(
                Image(
                    f"training_{i}",
                    f"{run.name}: training",
                    f"{run.history.epochs} epochs. Loss of each batch's last replay; Dice on the validation cases "
                    f"({run.description.val_images}), where validated, and of a training batch under five steps of "
                    "PGD, by which overfitting to the training's own noise shows; K̃, the mean L1 norm of the loss's "
                    "gradient at the (perturbed) input, with the threshold that the schedule compares it with; and g, "
                    "the backpropagations per batch.",
                    png(training_curves(run, run.history, style)),
                )
            )
    longest = max((run.history.epochs for run in runs if run.history), default=0)
    if longest > _WINDOW:
        images.append(
            Image(
                "gradient_norm",
                "Input-gradient norm by method (the paper's Figure 1)",
                f"K̃ averaged over windows of {_WINDOW} epochs from epoch 1; a run's last window has the epochs that "
                f"are left of it.",
                png(gradient_norm_by_window(runs, _WINDOW)),
            )
        )
    return images


def robustness(runs: Sequence[RunRecords]) -> list[Image]:
    """Dice against ε: all runs together, then each run by attack."""
    images = []
    # What one budget leaves is a figure in the tables, and no curve.
    curved = [run for run in runs if run.robustness and len(run.robustness.budgets) > 1]
    if curved:
        images.append(
            Image(
                "dice_by_budget",
                "Dice against ε by method (the paper's Figure 2)",
                "Mean Dice over foreground classes and cases. Left: averaged over the attacks (random noise is not "
                "one). Right: per volume, the lowest Dice of all attacks. At 0: the same inputs without attack. "
                + " ".join(_on_what(run) for run in runs if run.robustness),
                png(dice_by_budget(runs)),
            )
        )
    if methods := readable(methods_of(runs)):
        images.append(
            Image(
                "dice_by_cost",
                "Dice against what training cost",
                "Mean Dice over foreground classes and cases at the budget that tables show, and backpropagations per "
                "batch of the whole training. Left: per volume, the lowest Dice of all attacks. Right: the same inputs "
                "without attack." + _left_out(runs, methods),
                png(dice_by_cost(methods)),
            )
        )
    for i, run in enumerate(runs, start=1):
        if run.robustness and run in curved:
            images.append(
                Image(
                    f"dice_by_attack_{i}",
                    f"{run.name}: Dice against ε by attack",
                    "Mean Dice over foreground classes and cases under each attack, averaged over attacks (dotted), "
                    f"and in the worst case per volume. {_on_what(run)}",
                    png(dice_by_attack(run.robustness)),
                )
            )
    searched = [(run, run.robustness) for run in runs if run.robustness and len(run.robustness.found_least) > 1]
    if searched:
        medians = ", ".join(f"{run.name} {record.median_least}" for run, record in searched)
        images.append(
            Image(
                "fallen_by_budget",
                "Cases whose Dice falls below half, by ε",
                "Each case's least budget: the smallest ε found at which its mean Dice is below half of its value "
                f"without attack, a step per case. Median case: {medians}. A stronger attack may need less.",
                png(fallen_by_budget([run for run, _ in searched])),
            )
        )
    return images


def cases(runs: Sequence[RunRecords]) -> list[Image]:
    """Each case before and after attack, and slices of those that fell most."""
    images = []
    budgets = sorted({run.robustness.compared_eps for run in runs if run.robustness and run.robustness.compared_eps})
    for eps in budgets:
        pairs = [run.robustness.clean_and_worst(eps) if run.robustness else {} for run in runs]
        if any(len(points) > 1 for points in pairs):
            images.append(
                Image(
                    f"cases_{eps:g}",
                    f"Each case, without attack and under its worst, ε = {eps:g}/255",
                    "One point per case: "
                    + _cases_of(runs, pairs)
                    + ". The further below the dashed line, the more the attack took. Undefined Dice is left out.",
                    png(clean_against_worst(runs, eps)),
                )
            )
        shares = [run.robustness.share_and_worst(eps) if run.robustness else {} for run in runs]
        if any(len(points) > 1 for points in shares):
            images.append(
                Image(
                    f"contrast_{eps:g}",
                    f"Worst-case Dice against ε_b / standard deviation, ε = {eps:g}/255",
                    "One point per case: "
                    + _cases_of(runs, shares)
                    + ". ε_b / standard deviation of the image as it was attacked, mean over channels: where ε_b is a "
                    "share of the range, one bright voxel makes it larger for the whole image.",
                    png(share_against_worst(runs, eps)),
                )
            )
    for i, run in enumerate(runs, start=1):
        shown = largest_falls(run.slices)
        if shown:
            scale = "±ε_b of the case" if all(one.budget > 0 for one in shown) else "± the slice's largest change"
            images.append(
                Image(
                    f"slices_{i}",
                    f"{run.name}: slices of the cases that fell most",
                    f"The {len(shown)} of {len(run.slices)} recorded cases that lost the most Dice; the Dice is of the "
                    f"whole case. The perturbation is attacked − clean image, on a scale of {scale}.",
                    png(attacked_slices(run, shown)),
                )
            )
    return images


def _cases_of(runs: Sequence[RunRecords], points: Sequence[Sized]) -> str:
    """How many cases of each run are drawn."""
    return ", ".join(f"{run.name} {len(own)}" for run, own in zip(runs, points, strict=True) if own)


def _left_out(runs: Sequence[RunRecords], methods: Sequence[Method]) -> str:
    """Which attacked runs the picture lacks."""
    names = [run.name for run in runs if run.robustness and run.name not in {method.name for method in methods}]
    return f" Not in the picture: {', '.join(names)}." if names else ""


def _on_what(run: RunRecords) -> str:
    record = run.robustness
    if record is None:
        return ""
    inputs = f", {record.inputs}" if record.inputs else ""
    return f"{run.name}: protocol {record.protocol}, budget {record.budget}, {len(record.case_names)} cases{inputs}."
