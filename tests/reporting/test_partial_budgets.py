"""A record whose budgets have different cases: like is set beside like, and what is partial says so."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from seat_components.evaluation.case import Case
from seat_components.evaluation.ensemble import Ensemble
from seat_components.evaluation.identity import versions
from seat_components.evaluation.protocols import protocol_of
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.robustness import AttackedEvaluation
from seat_components.reporting import read_run
from seat_components.reporting.findings import findings
from seat_components.reporting.records import RunRecords
from seat_components.reporting.tables import attack_table, key_numbers, size_table

NOISE = (0.02, 0.02, 0.5, 0.5, 0.5, 0.5)  # two easy cases first, whose Dice is high


def evaluated(folder: Path, *budgets: tuple[float, int]) -> RunRecords:
    """The records of an evaluation at each (ε·255, number of cases) in turn, into one folder."""
    network = nn.Conv3d(1, 2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([0.0, 20.0]).reshape(2, 1, 1, 1, 1))
        network.bias.copy_(torch.tensor([0.0, -10.0]))
    draws = torch.Generator().manual_seed(0)
    cases = []
    for number, noise in enumerate(NOISE):
        image = torch.rand(1, 1, 8, 8, 8, generator=draws)
        wrong = torch.rand(image.shape, generator=draws) < noise
        cases.append(Case(f"case{number}", number, image, ((image > 0.5) ^ wrong).long(), 1.0))
    for eps_255, count in budgets:
        protocol = protocol_of("quick", 2)
        head = AttackedEvaluation(
            protocol="quick", settings=protocol.settings(), versions=versions(), rule="", weights_sha256="ab" * 32
        )
        ensemble = Ensemble(RobustnessRecords(folder, head, ["organ"]), protocol, [eps_255])
        for case in cases[:count]:
            ensemble.attack(network, case)
    return read_run(folder)


@pytest.fixture(scope="module")
def begun_at_8(tmp_path_factory: pytest.TempPathFactory) -> RunRecords:
    """All cases at 4/255; at 8/255, which tables compare at, only two yet."""
    return evaluated(tmp_path_factory.mktemp("begun"), (4, len(NOISE)), (8, 2))


def test_what_is_left_stands_beside_the_clean_dice_of_the_same_cases(begun_at_8: RunRecords) -> None:
    record = begun_at_8.robustness
    assert record is not None
    pairs = record.clean_and_worst(8)
    assert len(pairs) == 2
    clean = sum(dice for dice, _ in pairs.values()) / 2
    assert clean > record.clean + 0.1
    (said,) = findings(begun_at_8)
    assert f"of 2 cases falls from {clean:.2f} to {record.mean_dice('worst', 8):.2f}" in said
    rows = {row[0]: row[1] for row in key_numbers([begun_at_8]).rows}
    assert rows["Clean Dice, the protocol's inputs"] == f"{clean:.4f}"
    assert float(rows["Worst-case Dice"]) < clean
    sizes = size_table(begun_at_8)
    assert sizes is None or all(row[-1] == "—" or float(row[-1]) >= 0 for row in sizes.rows)


def test_a_partial_budget_is_no_point_of_a_curve_and_its_rows_say_how_many_cases_they_have(
    begun_at_8: RunRecords,
) -> None:
    record, table = begun_at_8.robustness, attack_table(begun_at_8)
    assert record is not None
    assert table is not None
    assert record.curve("worst")[0] == record.average_curve()[0] == [0, 4]
    assert [row[0] for row in table.rows[:2]] == ["clean", "random (2 of 6 cases)"]
    assert not math.isnan(record.average(8))


def test_a_smaller_budget_begun_later_takes_nothing_from_the_compared_one(tmp_path: Path) -> None:
    run = evaluated(tmp_path, (8, 3), (4, 1))
    table = attack_table(run)
    assert table is not None
    assert run.robustness is not None
    assert not any("of 3 cases" in row[0] for row in table.rows)
    assert table.rows[-1][1] == f"{run.robustness.average(8):.4f}"
