"""Plausible records of runs that never took place, for the reporting tests only."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seat_components.evaluation.sizes import dice_by_size
from seat_components.records.attacked import AttackedCase
from seat_components.reporting import RunRecords

LABELS = ("Anterior", "Posterior")
COLUMNS = (
    *("epoch", "g", "gradient_norm", "threshold", "backpropagations", "train_loss", "val_mean_dice"),
    *("val_dice_Anterior", "val_dice_Posterior", "overfit_dice", "learning_rate", "seconds"),
)
ATTACKS = {"random": 0.02, "pgd-ce": 0.75, "apgd-ce": 1.0, "apgd-mask-ce-balanced": 1.08, "segpgd": 0.8, "square": 0.15}
EPS = (2, 4, 6, 8, 10)
CLEAN_DICE = 0.82


@dataclass(frozen=True)
class WrittenReport:
    """A report, and the records it was made of."""

    runs: list[RunRecords]
    page: Path
    text: str


def write_run(folder: Path, method: str = "SEAT", epochs: int = 60, cases: int = 12, seed: int = 0) -> Path:
    """All records of a run into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / "run.json",
        {
            "bundle": "msd_task04_hippocampus",
            "method": method,
            "task": "Task04_Hippocampus",
            "label_names": {"0": "background", "1": "Anterior", "2": "Posterior"},
            "epochs": epochs,
        },
    )
    write_history(folder, method, epochs, seed)
    write_json(folder / "metrics.json", metrics(cases, seed))
    write_json(folder / "robustness.json", robustness(method, cases, seed))
    for i in range(5):
        write_slice(folder, f"hippocampus_{i:03d}", 0.35 + 0.1 * i, seed + i)
    return folder


def write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1), encoding="utf-8")


def write_history(folder: Path, method: str = "SEAT", epochs: int = 60, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    path = folder / "training_history.csv"
    total, threshold = 0, ""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for t in range(1, epochs + 1):
            g = {"SEAT": 1 if t <= 3 else 2 + (t // 12) % 3, "FREE": 5, "PGD": 6}.get(method, 1)
            total += g
            norm = {"clean": 40.0, "random": 25.0}.get(method, 6.0) * (1 + np.exp(-t / 10)) * rng.uniform(0.9, 1.1)
            if method == "SEAT" and t % 3 == 0 and t >= 6:
                threshold = f"{1.1 * norm:.6f}"
            dice = [0.0, 0.0, 0.0]
            if t % 5 == 0:
                dice[1:] = [(0.85 - 0.05 * i) * (1 - np.exp(-t / 15)) + rng.normal(0, 0.01) for i in range(2)]
                dice[0] = sum(dice[1:]) / 2
            shown = [f"{value:.6f}" if t % 5 == 0 else "" for value in dice]
            loss = 1.6 * np.exp(-t / 20) + 0.4 + rng.normal(0, 0.01)
            rate = 0.01 * 0.1 ** ((t > epochs / 2) + (t > 0.75 * epochs))
            overfit = f"{0.8 * dice[0]:.6f}" if t % 5 == 0 and g > 1 else ""
            writer.writerow(
                [t, g, f"{norm:.6f}", threshold, total, f"{loss:.6f}", *shown, overfit, rate, f"{12 * g:.1f}"]
            )
    return path


def metrics(cases: int = 12, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(cases):
        dice = rng.normal(CLEAN_DICE, 0.03, 2).clip(0, 1)
        rows.append(
            {"case": f"hippocampus_{i:03d}", "dice": dict(zip(LABELS, dice, strict=True)), "mean_dice": dice.mean()}
        )
    return {
        "bundle": "msd_task04_hippocampus", "weights_sha256": "3f9a" * 16,
        "rule": "a class that is absent from label and prediction does not count; from the label only, its Dice is 0",
        "summary": {"mean_dice": 0.8123, "dice": {"Anterior": 0.8345, "Posterior": 0.7901},
                    "hausdorff95_mm": {"Anterior": 1.52, "Posterior": 1.71},
                    "surface_distance_mm": {"Anterior": 0.42, "Posterior": None}},
        "cases": rows,
    }  # fmt: skip


def robustness(method: str = "SEAT", cases: int = 12, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    slope = {"SEAT": 0.04, "FREE": 0.035, "PGD": 0.03, "random": 0.075, "clean": 0.08}.get(method, 0.05)
    rows: list[dict[str, Any]] = []
    for i in range(cases):
        case, clean = f"hippocampus_{i:03d}", rng.normal(CLEAN_DICE, 0.03)
        rows.append(_row(case, "clean", 0, clean, 0.0))
        for eps in EPS:
            under = [_row(case, name, eps, clean * np.exp(-slope * eps * strength * rng.uniform(0.8, 1.2)))
                     for name, strength in ATTACKS.items()]  # fmt: skip
            rows += [*under, min(under, key=lambda row: row["mean_dice"]) | {"attack": "worst"}]
    keys = sorted({(row["attack"], row["eps_255"]) for row in rows})
    summary = []
    for attack, eps in keys:
        found = [row for row in rows if (row["attack"], row["eps_255"]) == (attack, eps)]
        dice = {label: float(np.mean([row["dice"][label] for row in found])) for label in LABELS}
        mean = float(np.mean(list(dice.values())))
        summary.append({"attack": attack, "eps_255": eps, "cases": len(found), "mean_dice": mean, "dice": dice})
    names = list(dict.fromkeys(row["case"] for row in rows))
    models = [AttackedCase.model_validate(row) for row in rows]
    volumes = {case: {"Anterior": 1.0 + 0.1 * i, "Posterior": 2.0 - 0.1 * i} for i, case in enumerate(names)}
    return {
        "bundle": "msd_task04_hippocampus", "weights_sha256": "3f9a" * 16, "protocol": "strong", "seed": 0,
        "settings": {name: {"steps": 20, "loss": "ce"} for name in ATTACKS}, "rule": "Every case counts.",
        "versions": {"torch": "2.13.0", "monai": "1.6.1"}, "summary": summary, "cases": rows,
        "budget_over_std": [
            {"case": case, "eps_255": eps, "image": eps * (0.013 + 0.001 * i), "foreground": None}
            for i, case in enumerate(names)
            for eps in EPS
        ],
        "cost": {name: {"forwards": 1200, "backwards": 1100, "seconds": 341.5} for name in ATTACKS},
        "by_size": [row.as_json() for row in dice_by_size(models, volumes, LABELS)], "size_rule": "Thirds by volume.",
        "least_budgets": [
            {"case": case, "eps_255": 4.0 + i if i % 4 else None, "kept_255": 3.75 + i if i % 4 else 64,
             "clean_dice": CLEAN_DICE, "dice": 0.4 if i % 4 else 0.6, "forwards": 90, "backwards": 80}
            for i, case in enumerate(names)
        ],
        "inputs": "one patch per case", "data": "Hippocampus, both sides",
        "device": "cpu", "alarms": [], "alarms_checked": ["zero gradients"],
    }  # fmt: skip


def _row(case: str, attack: str, eps: float, dice: float, linf: float = 1.0) -> dict[str, Any]:
    both = {"Anterior": float(np.clip(dice + 0.02, 0, 1)), "Posterior": float(np.clip(dice - 0.02, 0, 1))}
    mean = sum(both.values()) / 2
    return {"case": case, "attack": attack, "eps_255": eps, "dice": both, "mean_dice": mean, "linf_over_budget": linf}


def write_slice(folder: Path, case: str, attacked: float = 0.4, seed: int = 0, **changed: Any) -> Path:
    rng = np.random.default_rng(seed)
    x, y = np.mgrid[0:40, 0:52]
    image = np.exp(-((x - 20) ** 2 + (y - 26) ** 2) / 300) + rng.normal(0, 0.05, (40, 52))
    label = np.where((x - 18) ** 2 / 60 + (y - 20) ** 2 / 150 < 1, 1, 0)
    label = np.where((x - 18) ** 2 / 60 + (y - 36) ** 2 / 90 < 1, 2, label)
    ragged = np.where(rng.random((40, 52)) < attacked, label, 0)
    ragged[:6, :9] = 2
    arrays = {
        "image": image, "label": label, "clean_prediction": np.roll(label, 1, axis=0), "attacked_prediction": ragged,
        "perturbation": 0.03 * np.sign(rng.normal(size=(40, 52))), "attack": "apgd-ce", "eps_255": 8.0,
        "clean_dice": 0.83, "attacked_dice": attacked, "budget": 0.03,
    }  # fmt: skip
    arrays |= changed
    path = folder / "slices" / f"{case}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path
