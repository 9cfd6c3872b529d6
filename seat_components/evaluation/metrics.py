"""``metrics.json`` and ``.csv``: clean metrics of whole volumes, in each scan's own grid, written case by case."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.data.utils import affine_to_spacing
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from monai.networks.utils import one_hot
from torch import Tensor

from seat_components.evaluation.dice import ABSENT_CLASS_RULE, dice_per_class
from seat_components.evaluation.identity import data_description, fingerprints, name_of, sha256, versions
from seat_components.evaluation.store import all_versions, read_own_record, stale_cases, write_csv, write_json
from seat_components.files import case_name
from seat_components.records.resumable import check_metrics

SURFACE_RULE = "Surface metrics are in mm, and empty where the class is absent from prediction or label."
METRICS = ("dice", "hausdorff95_mm", "surface_distance_mm")


class MetricsRecord:
    """Record Dice, 95th percentile Hausdorff distance and mean symmetric surface distance of each case and class.

    A handler of an evaluator whose output holds ``pred`` and ``label`` as class indices in the same grid, with
    ``pred`` a MetaTensor that knows its file and affine. A case that the record holds is not evaluated again.

    Args:
        output_dir: where the records go.
        weights: the weights' file, for its hash.
        bundle: the bundle's name.
        label_names: label value → name, background first.
        dataset_dir: the dataset's folder, for what it says about itself.
        val_patch_size: size of the sliding window; a record of another one is not gone on with.

    Raises:
        RefusalError: for missing weights, a file in the record's place that is none, or an invalid dataset.json.
    """

    def __init__(
        self,
        output_dir: str | Path,
        weights: str | Path,
        bundle: str,
        label_names: Mapping[str, str],
        dataset_dir: str | Path | None = None,
        val_patch_size: Sequence[int] | None = None,
    ) -> None:
        self.path = Path(output_dir) / "metrics.json"
        self.labels = list(label_names.values())[1:]
        identity = {
            "bundle": bundle,
            "weights_sha256": sha256(weights),
            "data": data_description(dataset_dir),
            "val_patch_size": val_patch_size,
        }
        rules = f"{ABSENT_CLASS_RULE} {SURFACE_RULE}"
        self.header: dict[str, Any] = {**identity, "rule": rules, "versions": versions()}
        before = read_own_record(self.path, identity, partial(check_metrics, labels=self.labels, distances=METRICS[1:]))
        self.cases: list[dict[str, Any]] = []
        if before is not None:
            self.cases = before["cases"]
            self.header["versions"] = all_versions(before.get("versions") or {}, self.header["versions"])
        self.files: dict[str, str] = {}

    def remaining(self, cases: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The cases of a datalist that the record does not hold, or not of the files as they are now.

        If the record holds others too, as those of another fold, it is kept aside and a new one begins.
        """
        self.files = fingerprints(cases)
        recorded = {row["case"]: row.get("files") for row in self.cases}
        stale = stale_cases(self.path, self.header["weights_sha256"], recorded, self.files)
        self.cases = [row for row in self.cases if row["case"] not in stale]
        done = {row["case"] for row in self.cases}
        return [case for case in cases if name_of(case) not in done]

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._record)

    def _record(self, engine: Engine) -> None:
        for output in engine.state.output:
            prediction, label = output["pred"], output["label"]
            case = case_name(prediction.meta["filename_or_obj"])
            spacing = affine_to_spacing(prediction.affine, r=prediction.ndim - 1).tolist()
            plain = [torch.as_tensor(volume)[None].cpu().long() for volume in (prediction, label)]
            self.add(case, plain[0], plain[1], spacing)
        self.write()

    def add(self, case: str, prediction: Tensor, label: Tensor, spacing: Sequence[float]) -> None:
        """Add a case, or replace it: class indices (1, 1, *spatial), voxel spacing in mm."""
        classes = len(self.labels) + 1
        dice = dice_per_class(prediction, label, classes)[0].tolist()
        masks = [one_hot(volume, classes) for volume in (prediction, label)]
        options = {"include_background": False, "spacing": list(spacing)}
        hausdorff = compute_hausdorff_distance(*masks, percentile=95, **options)[0].tolist()
        distance = compute_average_surface_distance(*masks, symmetric=True, **options)[0].tolist()
        columns = (dice, [_defined(value) for value in hausdorff], [_defined(value) for value in distance])
        values = {
            name: dict(zip(self.labels, column, strict=True)) for name, column in zip(METRICS, columns, strict=True)
        }
        row = {"case": case, "files": self.files.get(case), "mean_dice": sum(dice) / len(dice), **values}
        self.cases = [*(other for other in self.cases if other["case"] != case), row]

    def content(self) -> dict[str, Any]:
        """The whole record."""
        summary: dict[str, Any] = {"mean_dice": _mean([row["mean_dice"] for row in self.cases])}
        for name in METRICS:
            summary[name] = {label: _mean([row[name][label] for row in self.cases]) for label in self.labels}
        return {**self.header, "summary": summary, "cases": self.cases}

    def write(self) -> None:
        """Write the record as it is now, JSON last: for a case that it holds nothing is written again."""
        columns = ["case", "mean_dice", *(f"{name}_{label}" for name in METRICS for label in self.labels)]
        rows = (
            [row["case"], row["mean_dice"], *(row[name][label] for name in METRICS for label in self.labels)]
            for row in self.cases
        )
        write_csv(columns, rows, self.path.with_suffix(".csv"))
        write_json(self.content(), self.path)

    def report(self) -> str:
        """The summary as lines of text."""
        summary = self.content()["summary"]
        if not self.cases:
            return "No case was evaluated."
        classes = ", ".join(f"{label} {value:.4f}" for label, value in summary["dice"].items())
        mean = f"Mean Dice of {len(self.cases)} cases: {summary['mean_dice']:.4f} ({classes})"
        return f"{mean}. {self.path} holds every case."


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
