"""What each attack adds, and which few find what all find: ``python -m tools.protocol_choice NETWORK_FOLDER …``.

It reads what ``python -m tools.single_attacks`` has written, a folder per network, and prints Markdown tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from seat_components.records.model import read_record
from seat_components.records.numbers import mean_of
from seat_components.records.robustness import FILE, Robustness

Left = Mapping[str, Mapping[str, float]]
"""Attack, with its steps → case → mean Dice left."""


def read_network(folder: Path) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """What every attack in a network's folder leaves, "clean" among them; and its passes each way per case."""
    left: dict[str, dict[str, float]] = {}
    passes: dict[str, float] = {}
    for path in sorted(folder.glob(f"*/{FILE}")):
        record, word = read_record(Robustness, path), path.parent.name
        rows = [row for row in record.cases if row.case not in record.unfinished]
        left["clean"] = left.get("clean", {}) | {row.case: row.mean_dice for row in rows if row.attack == "clean"}
        left[word] = {row.case: row.mean_dice for row in rows if row.attack not in ("clean", "worst")}
        ran = [cost for name, cost in record.cost.items() if name != "checks"]
        passes[word] = sum((cost.forwards + cost.backwards) / 2 for cost in ran) / max(1, len(left[word]))
    return left, passes


def worst(left: Left, attacks: Sequence[str], cases: Sequence[str]) -> float:
    """Mean over cases of the lowest Dice that any of the attacks leaves."""
    return mean_of(min(left[attack][case] for attack in ("clean", *attacks)) for case in cases)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+", type=Path)
    parser.add_argument("--steps", type=int, default=20, help="of the attacks to compare")
    parser.add_argument("--most", type=int, default=2, help="attacks in a set")
    given = parser.parse_args(arguments)
    networks = {folder.name: read_network(folder) for folder in given.networks}
    words = [set(left) - {"clean"} for left, _ in networks.values()]
    common = sorted(word for word in set.intersection(*words) if word.endswith(f"-{given.steps}"))
    cases = {
        name: sorted(set.intersection(*(set(left[word]) for word in common))) for name, (left, _) in networks.items()
    }
    print("| attack | " + " | ".join(f"{name}: Dice, lost without it, passes" for name in networks) + " |")
    print("|---|" + "---|" * len(networks))
    print("| no attack | " + " | ".join(f"{worst(left, [], cases[n]):.4f}" for n, (left, _) in networks.items()) + " |")
    for word in common:
        cells = []
        for name, (left, passes) in networks.items():
            others = [other for other in common if other != word]
            lost = worst(left, others, cases[name]) - worst(left, common, cases[name])
            cells.append(f"{worst(left, [word], cases[name]):.4f}, {lost:.4f}, {passes[word]:.0f}")
        print(f"| {word} | " + " | ".join(cells) + " |")
    sets = [attacks for size in range(1, given.most + 1) for attacks in combinations(common, size)]
    by_set = {attacks: [worst(left, attacks, cases[name]) for name, (left, _) in networks.items()] for attacks in sets}
    print("\n| attacks | mean over networks | " + " | ".join(f"{n} ({len(cases[n])} cases)" for n in networks) + " |")
    print("|---|---|" + "---|" * len(networks))
    for attacks in sorted(sets, key=lambda attacks: mean_of(by_set[attacks]))[:20]:
        means = " | ".join(f"{value:.4f}" for value in by_set[attacks])
        print(f"| {' + '.join(attacks)} | {mean_of(by_set[attacks]):.4f} | {means} |")


if __name__ == "__main__":
    main()
