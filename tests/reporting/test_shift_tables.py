"""Corruptions and certificates in the report, beside the attacks; a folder may hold nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seat_components.corruptions import CLEAN, corruptions_of
from seat_components.records.certificate import FILE as CERTIFICATE
from seat_components.records.certificate import Certificate, CertifiedCase, means_certified
from seat_components.records.corruptions import FILE as CORRUPTIONS
from seat_components.records.corruptions import CorruptedCase, Corruptions, kept_under, mean_under
from seat_components.records.model import write_record
from seat_components.reporting import read_run, write_report
from seat_components.reporting.shift_tables import certificate_table, corruption_table

FEW = {name: corruptions_of(False)[name] for name in ("blur", "gamma")}
HEAD = {"bundle": "b", "weights_sha256": "3f9a" * 16, "seed": 0, "scope": "patch"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = [CorruptedCase(case="one", corruption=CLEAN, severity=0, dice={"a": 0.8})]
    for name, fall in (("blur", 0.04), ("gamma", 0.1)):
        rows += [
            CorruptedCase(case="one", corruption=name, severity=step, dice={"a": 0.8 - fall * step})
            for step in range(1, 6)
        ]
    summary = mean_under(rows, ["a"])
    kept = kept_under(summary)
    means = {"dice_kept": sum(kept.values()) / 2, "dice_kept_under": kept, "worst_corruption": "gamma"}
    write_record(Corruptions(**HEAD, severities=FEW, summary=summary, cases=rows, **means), tmp_path / CORRUPTIONS)
    certified = [
        CertifiedCase(
            case="one",
            transformation="gamma",
            radius=radius,
            dice={"a": 0.75},
            certified_dice={"a": low},
            abstained=0.1,
        )
        for radius, low in ((0.1, 0.6), (0.2, 0.4321))
    ]
    said = {"sigmas": {"gamma": 0.4}, "radii": [0.25, 0.5], "selection_draws": 10, "draws": 100, "confidence": 0.999}
    certificate = Certificate(**HEAD, **said, summary=means_certified(certified, ["a"]), cases=certified)
    write_record(certificate, tmp_path / CERTIFICATE)
    return tmp_path


def test_values_of_the_records_stand_in_the_tables(run: Path) -> None:
    records = read_run(run)
    table = corruption_table(records)
    assert table is not None
    assert table.rows[1] == ["gamma (worst)", "0.7000", "0.6000", "0.5000", "0.4000", "0.3000", "62.5%"]
    assert table.rows[-1][-1] == "73.8%"
    table = certificate_table(records)
    assert table is not None
    assert table.rows[1] == ["gamma", "gamma 0.819 to 1.221", "0.7500", "0.4321", "10.00%"]


def test_a_folder_with_nothing_else_is_reported_on(run: Path) -> None:
    text = write_report([run]).read_text(encoding="utf-8")
    for words in ("1 cases", "Dice kept under corruptions", "gamma 0.819 to 1.221"):
        assert words in text
    assert json.loads((run / CERTIFICATE).read_text())["summary"][1]["mean_certified_dice"] == 0.4321
