"""What models keep under corruptions, side by side: ``python -m tools.corruptions_compared EVAL_DIR …``.

Each folder holds the corruptions.json of one model, on the same cases. It prints a Markdown table: the share of the
clean Dice that each keeps; and how far the others are above or below the first, in the Dice that is left and in what
corruption took of it, with 95 % intervals, paired over cases.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seat_components.records.attacked import CLEAN
from seat_components.records.bootstrap import bootstrap_mean
from seat_components.records.corruptions import FILE, read_corruptions
from seat_components.records.numbers import mean_of
from seat_components.refusals import refuse

ALL = "all of them"


@dataclass(frozen=True)
class _Model:
    """One model's Dice without corruption, and means over severities under each, by case in one order."""

    name: str
    clean: Sequence[float]
    left: Mapping[str, Sequence[float]]

    def kept(self, corruption: str) -> float:
        """The share of the clean Dice that is left: ``dice_kept_under`` of the record."""
        return mean_of(self.left[corruption]) / mean_of(self.clean)

    def changes(self, corruption: str) -> list[float]:
        """Per case, Dice left − clean Dice."""
        return [left - clean for left, clean in zip(self.left[corruption], self.clean, strict=True)]


def _read(folders: Sequence[Path]) -> list[_Model]:
    records = [read_corruptions(folder / FILE) for folder in folders]
    inputs = [(record.scope, record.seed, record.severities) for record in records]
    finished = [{row.case for row in record.cases} - {*record.unfinished} for record in records]
    for folder, asked, ended in zip(folders, inputs, finished, strict=True):
        if asked != inputs[0] or ended != finished[0]:
            refuse(f"{folder}: other cases, corruptions, draws or scope than in {folders[0]}; they cannot be compared.")
    if not finished[0]:
        refuse(f"{folders[0]}: no finished case.")
    models = []
    cases = sorted(finished[0])
    for folder, record in zip(folders, records, strict=True):
        dice = {(row.case, row.corruption, row.severity): row.mean_dice for row in record.cases}
        left = {
            name: [mean_of(dice[case, name, severity] for severity in range(1, 6)) for case in cases]
            for name in record.severities
        }
        left[ALL] = [float(mean) for mean in np.mean([*left.values()], axis=0)]
        models.append(_Model(folder.name, [dice[case, CLEAN, 0] for case in cases], left))
    return models


def _interval(values: Sequence[float], first: Sequence[float]) -> str:
    """The mean of value − first over cases."""
    mean, low, high = bootstrap_mean([value - other for value, other in zip(values, first, strict=True)])
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="EVAL_DIR")
    models = _read(parser.parse_args(arguments).folders)
    first, *others = models
    head = ["corruption", *(f"{model.name} keeps" for model in models)]
    for model in others:
        head += [f"{model.name} − {first.name}: Dice left", "the same: left − clean"]
    clean = [f"Dice {mean_of(model.clean):.4f}" for model in models]
    rows = [["none", *clean, *(cell for model in others for cell in (_interval(model.clean, first.clean), ""))]]
    for corruption in first.left:
        row = [corruption, *(f"{100 * model.kept(corruption):.1f} %" for model in models)]
        for model in others:
            row.append(_interval(model.left[corruption], first.left[corruption]))
            row.append(_interval(model.changes(corruption), first.changes(corruption)))
        rows.append(row)
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |")
    print(f"\n{len(first.clean)} cases.")


if __name__ == "__main__":
    main()
