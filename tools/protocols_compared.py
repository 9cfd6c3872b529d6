"""How much of what one protocol finds a cheaper one finds: ``python -m tools.protocols_compared NETWORK_FOLDER …``.

A network's folder holds a folder for each protocol, by its name: what attack.json wrote there with ``--output_dir``. It
prints two Markdown tables, a column per network.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seat_components.records.attacked import CLEAN, WORST
from seat_components.records.model import read_record
from seat_components.records.numbers import mean_of
from seat_components.records.robustness import FILE, Robustness
from seat_components.refusals import refuse

Left = dict[str, dict[str, float]]
"""Case → attack ("clean" among them) → mean Dice left."""


@dataclass(frozen=True)
class Side:
    """One protocol on one network.

    Attributes:
        weights: the SHA-256 of what was attacked.
        left: what each attack leaves of each finished case, at the main budget.
        gradients: backward passes per case, those of checks left out; None where a case is not finished.
    """

    weights: str | None
    left: Left
    gradients: float | None

    @classmethod
    def read(cls, folder: Path) -> Side:
        """What the folder's record holds, at its main budget."""
        record = read_record(Robustness, folder / FILE)
        left: Left = {}
        for row in record.cases:
            if row.case not in record.unfinished and row.attack != WORST and row.eps_255 in (0, record.compared_eps):
                left.setdefault(row.case, {})[row.attack] = row.mean_dice
        ran = [cost for name, cost in record.cost.items() if name != "checks"]
        gradients = sum(cost.backwards for cost in ran) / max(1, len(left))
        return cls(record.weights_sha256, left, None if record.unfinished else gradients)

    def clean(self, cases: Sequence[str]) -> float:
        """Mean over cases of the Dice without attack."""
        return mean_of(self.left[case][CLEAN] for case in cases)

    def worst(self, cases: Sequence[str], without: str = "") -> float:
        """Mean over cases of the lowest Dice, among all attacks or all but one."""
        return mean_of(min(dice for attack, dice in self.left[case].items() if attack != without) for case in cases)


@dataclass(frozen=True)
class Pair:
    """Two protocols on one network, on the cases that both have."""

    network: str
    few: Side
    many: Side

    @classmethod
    def read(cls, network: Path, few: str, many: str) -> Pair:
        """The records of two protocols in a network's folder.

        Raises:
            RefusalError: if they are of different weights, or have no case in common.
        """
        pair = cls(network.name, Side.read(network / few), Side.read(network / many))
        if pair.few.weights != pair.many.weights:
            refuse(f"{network}: {few} and {many} attacked different weights; a network's folder holds one's records.")
        if not pair.cases:
            refuse(f"{network}: {few} and {many} have no finished case in common.")
        return pair

    @property
    def cases(self) -> list[str]:
        """The cases of both."""
        return sorted(set(self.few.left) & set(self.many.left))

    @property
    def share_of_fall(self) -> float:
        """The fall (clean − worst) that the cheaper one finds, relative to the other's."""
        clean = self.many.clean(self.cases)
        return (clean - self.few.worst(self.cases)) / (clean - self.many.worst(self.cases))

    def added_by(self, attack: str) -> float:
        """What the dearer protocol would leave more without one of its attacks."""
        return self.many.worst(self.cases, without=attack) - self.many.worst(self.cases)


def _row(name: str, pairs: Sequence[Pair], cell: Callable[[Pair], str]) -> str:
    return f"| {name} | " + " | ".join(cell(pair) for pair in pairs) + " |"


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:.0f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+", type=Path, metavar="NETWORK_FOLDER")
    parser.add_argument("--few", default="standard", help="the cheaper protocol")
    parser.add_argument("--many", default="strong", help="the one that it is measured against")
    given = parser.parse_args(arguments)
    few, many = given.few, given.many
    pairs = [Pair.read(network, few, many) for network in given.networks]
    head = (
        _row("", pairs, lambda pair: f"{pair.network} ({len(pair.cases)} cases)") + "\n|---" + "|---" * len(pairs) + "|"
    )
    print(head)
    print(_row("Dice without attack", pairs, lambda pair: f"{pair.many.clean(pair.cases):.4f}"))
    print(_row(f"Dice left by {many}", pairs, lambda pair: f"{pair.many.worst(pair.cases):.4f}"))
    print(_row(f"Dice left by {few}", pairs, lambda pair: f"{pair.few.worst(pair.cases):.4f}"))
    print(_row(f"{few}'s share of the fall", pairs, lambda pair: f"{100 * pair.share_of_fall:.1f} %"))
    print(_row(f"gradients a case, {many}", pairs, lambda pair: _count(pair.many.gradients)))
    print(_row(f"gradients a case, {few}", pairs, lambda pair: _count(pair.few.gradients)))
    print(f"\n{head}")
    attacks = dict.fromkeys(name for pair in pairs for case in pair.cases for name in pair.many.left[case])
    for attack in attacks:
        if attack != CLEAN:
            added = [f"+{pair.added_by(attack):.4f}" for pair in pairs]
            print(f"| {many} without {attack} | " + " | ".join(added) + " |")


if __name__ == "__main__":
    main()
