"""``metrics.json`` and ``.csv``: clean metrics of whole volumes, in each scan's own grid, written case by case."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.data.utils import affine_to_spacing
from monai.engines import SupervisedEvaluator
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from monai.networks.utils import one_hot
from torch import Tensor

from seat_components.evaluation.case_by_case import CaseByCase
from seat_components.evaluation.dice import ABSENT_CLASS_RULE, dice_per_class
from seat_components.evaluation.identity import evaluated
from seat_components.records.evaluated import SETUP, Evaluated
from seat_components.records.metrics import FILE, MEASURES, CaseMetrics, Metrics, means_of
from seat_components.records.numbers import mean_of
from seat_components.scan_files import case_name

_IDENTITY = ("bundle", "weights_sha256", "data", "val_patch_size", SETUP)
_SURFACE_RULE = "Surface metrics are in mm, and empty where the class is absent from prediction or label."


class MetricsRecord(CaseByCase[Metrics, Evaluated, CaseMetrics]):
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
        setup_sha256: a hash of the preprocessing and windows; a record of others is not gone on with.

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
        setup_sha256: str = "",
    ) -> None:
        rule = f"{ABSENT_CLASS_RULE} {_SURFACE_RULE}"
        header = evaluated(weights, bundle, dataset_dir, val_patch_size, rule, setup_sha256)
        labels = list(label_names.values())[1:]
        super().__init__(Path(output_dir) / FILE, header, _IDENTITY, Metrics, CaseMetrics, labels)

    def files_of(self, record: Any) -> dict[str, str]:
        """Case → the fingerprint of its files."""
        return {row.case: row.files for row in record.cases if row.files is not None}

    def take(self, engine: SupervisedEvaluator) -> None:
        """Add the cases of an iteration."""
        for output in engine.state.output:
            prediction, label = output["pred"], output["label"]
            case = case_name(prediction.meta["filename_or_obj"])
            spacing = affine_to_spacing(prediction.affine, r=prediction.ndim - 1).tolist()
            plain = [torch.as_tensor(volume)[None].cpu().long() for volume in (prediction, label)]
            self.add(case, plain[0], plain[1], spacing)

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
            name: dict(zip(self.labels, column, strict=True)) for name, column in zip(MEASURES, columns, strict=True)
        }
        row = CaseMetrics(case=case, files=self.files.get(case), mean_dice=mean_of(dice), **values)
        self.rows = [*(other for other in self.rows if other.case != case), row]

    def record(self) -> Metrics:
        """The whole record."""
        return Metrics(**self.header.said(), summary=means_of(self.rows, self.labels), cases=tuple(self.rows))

    def report(self) -> str:
        """The summary as lines of text."""
        summary = self.record().summary
        if not self.rows:
            return "No case was evaluated."
        classes = ", ".join(f"{label} {value:.4f}" for label, value in summary.dice.items())
        mean = f"Mean Dice of {len(self.rows)} cases: {summary.mean_dice:.4f} ({classes})"
        return f"{mean}. {self.path} holds every case."


def _defined(value: float) -> float:
    return value if math.isfinite(value) else math.nan
