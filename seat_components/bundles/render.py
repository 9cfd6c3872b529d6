"""Rendering a bundle from the template and a task's values."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seat_components.bundles.caching import CACHE_BYTES, GIB, case_bytes, default_cache_rate
from seat_components.bundles.large_files import large_files
from seat_components.bundles.provenance import provenance
from seat_components.bundles.results import eval_metrics, performance, results_of
from seat_components.bundles.transforms import (
    LOAD_LABEL,
    augmentation,
    expectation,
    fit_for_training,
    padding,
    preprocessing,
)
from seat_components.tasks import Task, fold_cases, load_task

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

QUOTED = re.compile(r'(?P<indent>[ \t]*)(?P<key>"[^"\n]+": )?"\{\{(?P<name>\w+)\}\}"')
# Version control keeps no empty folder, but every bundle has one for weights.
WEIGHTS_FOLDER = "models/.gitkeep"
BARE = re.compile(r"\{\{(?P<name>\w+)\}\}")


def values_of(task: Task) -> dict[str, Any]:
    """What the template's placeholders stand for."""
    return {**_config_values(task), **_card_values(task), **provenance(task)}


def _config_values(task: Task) -> dict[str, Any]:
    training, validation = fold_cases(task)
    return {
        "task": task.name,
        "bundle": task.bundle,
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
        "fit_for_training": fit_for_training(),
        "labelled_padding": padding(True, "@val_patch_size"),
        "padding": padding(False, "@val_patch_size"),
        "augmentation": augmentation(),
    }


def _card_values(task: Task) -> dict[str, Any]:
    training, validation = fold_cases(task)
    cases = len(training) + len(validation)
    lowest = min((p - m) / s for p, m, s in zip(task.p0_5, task.mean, task.std, strict=True))
    highest = max((p - m) / s for p, m, s in zip(task.p99_5, task.mean, task.std, strict=True))
    return {
        "target": ", ".join(task.labels[1:]),
        "modality": "CT" if task.is_ct else "MR",
        "modality_text": "CT" if task.is_ct else "MRI",
        "channel_text": ", ".join(f"{channel} {name}" for channel, name in enumerate(task.modalities)),
        "channel_def": {str(channel): name for channel, name in enumerate(task.modalities)},
        "label_text": ", ".join(f"{value} {name}" for value, name in enumerate(task.labels)),
        "input_format": "hounsfield" if task.is_ct else "magnitude",
        "intensity_text": "Hounsfield units" if task.is_ct else "each volume and channel scaled to [0, 1]",
        "value_range": [round(lowest, 3), round(highest, 3)],
        "spacing_text": " × ".join(f"{value:g}" for value in task.spacing),
        "train_patch_text": " × ".join(map(str, task.train_patch)),
        "val_patch_text": " × ".join(map(str, task.val_patch)),
        "volumes_text": _size_text(cases * case_bytes(task)),
        "cached_text": _size_text(min(cases * case_bytes(task), CACHE_BYTES)),
        "eval_metrics": eval_metrics(task),
        "performance": performance(task),
    }


def _size_text(size: int) -> str:
    """Bytes in words, to two digits or more."""
    if size < GIB // 10:
        return f"{size / 2**20:.0f} MiB"
    return f"{size / GIB:.0f} GiB" if size >= 10 * GIB else f"{size / GIB:.1f} GiB"


def render(task: Task | str) -> dict[str, str]:
    """The files of a task's bundle: relative path → text."""
    task = load_task(task) if isinstance(task, str) else task
    values = values_of(task)
    files = {path: fill(text, values) for path, text in sorted(_template_files().items())}
    return {**files, **large_files(results_of(task)), WEIGHTS_FOLDER: ""}


def write_bundle(task: Task | str, out: str | Path) -> Path:
    """Write a task's bundle below ``out``; files that the template does not have, such as weights, stay."""
    task = load_task(task) if isinstance(task, str) else task
    folder = Path(out) / task.bundle
    for path, text in render(task).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def fill(text: str, values: dict[str, Any]) -> str:
    """``text`` with its placeholders replaced.

    ``"{{name}}"`` alone between quotes becomes the value in JSON; ``{{name}}`` within other text becomes the value
    as text.

    Raises:
        KeyError: for a placeholder that has no value.
    """

    def quoted(match: re.Match[str]) -> str:
        value = _json(values[match["name"]], match["indent"])
        return f"{match['indent']}{match['key'] or ''}{value}"

    return BARE.sub(lambda match: str(values[match["name"]]), QUOTED.sub(quoted, text))


def _json(value: Any, indent: str) -> str:
    """JSON on one line, but for a list of objects: there, a line each."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        lines = ",\n".join(f"{indent}    {json.dumps(item, ensure_ascii=False)}" for item in value)
        return f"[\n{lines}\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def _template_files() -> dict[str, str]:
    files: dict[str, str] = {}

    def walk(folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            path = f"{prefix}{entry.name}"
            if entry.is_dir():
                walk(entry, f"{path}/")
            else:
                files[path] = entry.read_text("utf-8")

    walk(resources.files(__package__) / "template", "")
    return files
