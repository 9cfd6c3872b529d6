"""Rendering a bundle from the template and a task's values."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from seat_components.bundles.caching import CACHE_BYTES, case_bytes, default_cache_rate
from seat_components.bundles.results import eval_metrics, results_of
from seat_components.bundles.template_files import fill, template
from seat_components.bundles.transforms import LOAD_LABEL, expectation, preprocessing
from seat_components.tasks import Task, fold_cases, load_task

# Version control keeps no empty folder, but every bundle has one for weights.
_WEIGHTS_FOLDER = "models/.gitkeep"


def _values_of(task: Task) -> dict[str, Any]:
    """The names that the template's expressions may use."""
    return {**_config_values(task), **_card_values(task)}


def _config_values(task: Task) -> dict[str, Any]:
    training, validation = fold_cases(task)
    return {
        "task": task.name,
        "bundle": task.bundle,
        "folds": "$@bundle_root + '/configs/folds.json'" if task.own else None,
        "channel_def": {str(channel): name for channel, name in enumerate(task.modalities)},
        "channels": len(task.modalities),
        "classes": len(task.labels),
        "batch_size": task.batch_size,
        "train_patch": list(task.train_patch),
        "sampling_margin": [s - t for s, t in zip(task.sampling_patch, task.train_patch, strict=True)],
        "val_patch": list(task.val_patch),
        "strides": [list(stage) for stage in task.strides],
        "spacing": list(task.spacing),
        "cache_rate": default_cache_rate(task, len(training) + len(validation)),
        "label_names": {str(value): name for value, name in enumerate(task.labels)},
        "load_label": LOAD_LABEL,
        "labelled_preprocessing": preprocessing(task, labelled=True),
        "preprocessing": preprocessing(task, labelled=False),
        "scan_preprocessing": preprocessing(task, labelled=False, series="@series"),
        "expectation": expectation(task),
    }


def _card_values(task: Task) -> dict[str, Any]:
    training, validation = fold_cases(task)
    volume_bytes = (len(training) + len(validation)) * case_bytes(task)
    lowest = min((p - m) / s for p, m, s in zip(task.p0_5, task.mean, task.std, strict=True))
    highest = max((p - m) / s for p, m, s in zip(task.p99_5, task.mean, task.std, strict=True))
    return {
        "ct": task.is_ct,
        "modalities": task.modalities,
        "labels": task.labels,
        "own": task.own,
        "organ": "" if task.own else _organ(task),
        "statistics": "measured" if task.own else "published",
        "training_cases": len(training),
        "validation_cases": len(validation),
        "value_range": [round(lowest, 3), round(highest, 3)],
        "volume_bytes": volume_bytes,
        "cached_bytes": min(volume_bytes, CACHE_BYTES),
        "cost": _costs().get(task.name),
        "results": results_of(task),
        "eval_metrics": eval_metrics(task),
    }


@cache
def _costs() -> dict[str, Any]:
    """By task what its training costs: estimates for GPUs, and what was measured on a CPU, as docs/ has them."""
    costs: dict[str, Any] = json.loads(files(__package__).joinpath("costs.json").read_text(encoding="utf-8"))
    return costs


def _organ(task: Task) -> str:
    """``hepatic vessel`` of ``Task08_HepaticVessel``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", task.name.partition("_")[2]).lower()


def render(task: Task | str) -> dict[str, str]:
    """The files of a task's bundle: relative path → text."""
    task = load_task(task) if isinstance(task, str) else task
    return {**fill(template(), _values_of(task)), _WEIGHTS_FOLDER: ""}


def write_bundle(task: Task | str, out: str | Path) -> Path:
    """Write a task's bundle below ``out``; files that the template does not have, such as weights, stay."""
    task = load_task(task) if isinstance(task, str) else task
    folder = Path(out) / task.bundle
    for path, text in render(task).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder
