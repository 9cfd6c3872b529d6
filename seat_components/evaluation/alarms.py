"""Alarms: signs that a robustness number is not to be trusted yet."""

from __future__ import annotations

from collections.abc import Callable

from seat_components.evaluation.robustness import RobustnessRecords, mean_dice

# A difference of mean Dice below this is not worth an alarm.
TOLERANCE = 0.02


def raise_alarms(records: RobustnessRecords) -> list[dict[str, str]]:
    """All alarms that the records give reason for, as {"alarm": name, "message": what it means and what to do}."""
    return [{"alarm": name, "message": message} for name, check in ALARMS.items() if (message := check(records))]


def _means(records: RobustnessRecords) -> dict[tuple[str, float], float]:
    groups: dict[tuple[str, float], list[float]] = {}
    for row in records.cases:
        groups.setdefault((row["attack"], row["eps_255"]), []).append(mean_dice(row))
    return {key: sum(values) / len(values) for key, values in groups.items()}


def random_noise_hurts(records: RobustnessRecords) -> str | None:
    """Random noise within the budget costs Dice: the network is fragile, not only attackable."""
    means = _means(records)
    clean = means.get(("clean", 0.0), 0.0)
    hurt = [eps for (attack, eps), mean in means.items() if attack == "random" and clean - mean > TOLERANCE]
    if not hurt:
        return None
    return f"Random noise at {min(hurt):g}/255 costs more than {TOLERANCE} Dice: the network is fragile without attack."


def black_box_beats_white_box(records: RobustnessRecords) -> str | None:
    """A search without gradients finds worse images than gradients do: the gradients are masked."""
    means = _means(records)
    for (attack, eps), mean in means.items():
        white = [value for (name, other), value in means.items() if other == eps and "pgd" in name]
        if attack == "square" and white and min(white) - mean > TOLERANCE:
            return f"Square beats every gradient attack at {eps:g}/255: gradients are masked; do not trust the numbers."
    return None


ALARMS: dict[str, Callable[[RobustnessRecords], str | None]] = {
    "random noise hurts": random_noise_hurts,
    "black box beats white box": black_box_beats_white_box,
}
