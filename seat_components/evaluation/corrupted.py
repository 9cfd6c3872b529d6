"""``corruptions.json`` and ``.csv``: Dice per case, corruption and severity, written result by result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events

from seat_components.corruptions import CLEAN, corruptions_of
from seat_components.device import described
from seat_components.evaluation.dice import ABSENT_CLASS_RULE, dice_per_class
from seat_components.evaluation.identity import evaluated, fingerprints, name_of
from seat_components.evaluation.scope import SCOPES, check_scope
from seat_components.evaluation.store import all_versions, read_own_record, stale_cases
from seat_components.records.corruptions import (
    FILE,
    CorruptedCase,
    CorruptedEvaluation,
    Corruptions,
    kept_under,
    mean_under,
)
from seat_components.records.model import write_record
from seat_components.records.numbers import mean_of
from seat_components.records.table import write_table

_IDENTITY = ("bundle", "weights_sha256", "seed", "scope", "severities", "data", "val_patch_size")


class CorruptionRecord:
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
    ) -> None:
        check_scope(scope, max_cases)
        self.max_cases = max_cases
        self.path = Path(output_dir) / FILE
        self.labels = list(label_names.values())[1:]
        self.header = CorruptedEvaluation(
            **evaluated(weights, bundle, dataset_dir, val_patch_size, ABSENT_CLASS_RULE).said(),
            seed=seed,
            scope=scope,
            inputs=SCOPES[scope],
            severities=corruptions_of(ct),
        )
        self.asked = [(CLEAN, 0)]
        self.asked += [(name, step + 1) for name, row in corruptions_of(ct).items() for step in range(len(row.values))]
        said = self.header.as_json()
        before = read_own_record(self.path, {name: said[name] for name in _IDENTITY}, Corruptions, self.labels)
        self.rows: list[CorruptedCase] = []
        self.files: dict[str, str] = {}
        if before is not None:
            self.rows, self.files = list(before.cases), dict(before.files)
            versions = all_versions(before.versions, self.header.versions)
            self.header = self.header.model_copy(update={"versions": versions})

    def remaining(self, cases: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Of the first ``max_cases`` cases of a datalist, those that the record does not hold completely.

        Results of files that have changed since are dropped. If the record holds cases that are not in the datalist,
        as those of another fold, it is kept aside and a new one begins.
        """
        files = fingerprints(cases)
        recorded = {row.case: self.files.get(row.case) for row in self.rows}
        if stale := stale_cases(self.path, self.header.weights_sha256, recorded, files):
            self.rows = [row for row in self.rows if row.case not in stale]
            if self.rows:
                # On disk as well, as a case beyond max_cases is not run again now.
                self.write()
        self.files = files
        return [case for case in cases[: self.max_cases] if self._missing(name_of(case))]

    def runs(self, cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A sample for each result of these cases that the record does not hold, case by case."""
        return [
            {**case, "case": name_of(case), "corruption": corruption, "severity": severity}
            for case in cases
            for corruption, severity in self._missing(name_of(case))
        ]

    def _missing(self, case: str) -> list[tuple[str, int]]:
        done = {(row.corruption, row.severity) for row in self.rows if row.case == case}
        return [asked for asked in self.asked if asked not in done]

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator."""
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._record)

    def _begin(self, engine: Engine) -> None:
        self.header = self.header.model_copy(update=described(engine.state.device, bool(engine.amp), engine.network))

    def _record(self, engine: Engine) -> None:
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
        self.write()

    def record(self) -> Corruptions:
        """The whole record."""
        cases = tuple(dict.fromkeys(row.case for row in self.rows))
        unfinished = tuple(case for case in cases if self._missing(case))
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

    def write(self) -> None:
        """Write the record as it is now, JSON last: for a result that it holds nothing is written again."""
        rows = [row.cells() for row in self.rows]
        write_table(CorruptedCase.columns(self.labels), rows, self.path.with_suffix(".csv"))
        write_record(self.record(), self.path)

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
