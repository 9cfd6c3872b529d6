"""``corruptions.json`` and ``.csv``: Dice per case, corruption and severity, written result by result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from monai.engines import SupervisedEvaluator

from seat_components.corruptions import CLEAN, corruptions_of
from seat_components.evaluation.case_by_case import CaseByCase
from seat_components.evaluation.dice import ABSENT_CLASS_RULE, dice_per_class
from seat_components.evaluation.identity import evaluated
from seat_components.evaluation.scope import SCOPES, check_scope
from seat_components.records.corruptions import (
    FILE,
    CorruptedCase,
    CorruptedEvaluation,
    Corruptions,
    kept_under,
    mean_under,
)
from seat_components.records.evaluated import SETUP
from seat_components.records.numbers import mean_of

_IDENTITY = ("bundle", "weights_sha256", "seed", "scope", "severities", "data", "val_patch_size", SETUP)


class CorruptionRecord(CaseByCase[Corruptions, CorruptedEvaluation, CorruptedCase]):
    """Record the Dice of each case clean and under every corruption at every severity.

    A handler of an evaluator whose samples hold ``case``, ``corruption`` and ``severity``, as ``runs`` lists them, and
    whose output holds ``pred`` and ``label`` as class indices in one grid. A result that the record holds is not
    computed again.

    Args:
        output_dir: where the record goes.
        weights: the weights' file, for its hash.
        bundle: the bundle's name.
        label_names: label value → name, background first.
        ct: whether scans are CT; else MRI.
        seed: of the corruptions' random numbers.
        scope: what is predicted, ``patch`` or ``volume``; for the record.
        max_cases: corrupt only the first cases; None for all. More may follow into the same record.
        dataset_dir: the dataset's folder, for what it says about itself.
        val_patch_size: size of the patch or of the sliding window; a record of another one is not gone on with.
        setup_sha256: a hash of the preprocessing and windows; a record of others is not gone on with.

    Raises:
        RefusalError: for an unknown scope, a number of cases that is none, missing weights, a file in the record's
            place that is none, or an invalid dataset.json.
    """

    def __init__(
        self,
        output_dir: str | Path,
        weights: str | Path,
        bundle: str,
        label_names: Mapping[str, str],
        ct: bool,
        seed: int = 0,
        scope: str = "patch",
        max_cases: int | None = None,
        dataset_dir: str | Path | None = None,
        val_patch_size: Sequence[int] | None = None,
        setup_sha256: str = "",
    ) -> None:
        check_scope(scope, max_cases)
        severities = corruptions_of(ct)
        header = CorruptedEvaluation(
            **evaluated(weights, bundle, dataset_dir, val_patch_size, ABSENT_CLASS_RULE, setup_sha256).said(),
            seed=seed,
            scope=scope,
            inputs=SCOPES[scope],
            severities=severities,
        )
        asked = [(name, step + 1) for name, row in severities.items() for step in range(len(row.values))]
        super().__init__(
            Path(output_dir) / FILE,
            header,
            _IDENTITY,
            Corruptions,
            CorruptedCase,
            list(label_names.values())[1:],
            ("corruption", "severity"),
            [(CLEAN, 0), *asked],
            max_cases,
        )

    def take(self, engine: SupervisedEvaluator) -> None:
        """Add the Dice of an iteration's samples."""
        for sample, output in zip(engine.state.batch, engine.state.output, strict=True):
            volumes = [torch.as_tensor(output[key])[None].cpu().long() for key in ("pred", "label")]
            dice = dice_per_class(volumes[0], volumes[1], len(self.labels) + 1)[0].tolist()
            self.rows.append(
                CorruptedCase(
                    case=sample["case"],
                    corruption=sample["corruption"],
                    severity=int(sample["severity"]),
                    dice=dict(zip(self.labels, dice, strict=True)),
                )
            )

    def record(self) -> Corruptions:
        """The whole record."""
        cases = tuple(dict.fromkeys(row.case for row in self.rows))
        unfinished = tuple(case for case in cases if self.missing(case))
        summary = mean_under([row for row in self.rows if row.case not in unfinished], self.labels)
        kept = kept_under(summary)
        return Corruptions(
            **self.header.said(),
            summary=tuple(summary),
            dice_kept=mean_of(kept.values()),
            dice_kept_under=kept,
            worst_corruption=min(kept, key=lambda name: kept[name], default=None),
            cases=tuple(self.rows),
            unfinished=unfinished,
            files={case: self.files[case] for case in cases if case in self.files},
        )

    def report(self) -> str:
        """The summary as lines of text."""
        record = self.record()
        if not record.summary:
            return f"No case is finished. {self.path} holds what was computed."
        clean = record.summary[0]
        lines = [f"{'clean':>22}: Dice {clean.mean_dice:.4f} ({clean.cases:g} cases)"]
        lines += [f"{name:>22}: {share:.1%} of it kept" for name, share in record.dice_kept_under.items()]
        if record.worst_corruption is not None:
            lines.append(f"Dice kept: {record.dice_kept:.1%}; worst corruption: {record.worst_corruption}.")
        return "\n".join([*lines, f"{self.path} holds every case and severity."])
