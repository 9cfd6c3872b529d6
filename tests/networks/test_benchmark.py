"""The benchmark measures every form and writes a table."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seat_components.networks import benchmark

TINY = benchmark.Geometry("Tiny", (1, 1, 16, 8, 8), ((1, 1, 1), (1, 1, 1), (2, 2, 2)))


def test_peak_counts_what_is_held_at_once() -> None:
    def work() -> None:
        kept = torch.zeros(2**20, dtype=torch.uint8)
        for _ in range(3):
            kept = kept + torch.ones(2**20, dtype=torch.uint8)

    assert 3 * 2**20 <= benchmark.tensor_peak(work, torch.device("cpu")) < 4 * 2**20


def test_writes_one_line_per_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "GEOMETRIES", (TINY,))
    monkeypatch.setattr("sys.argv", ["benchmark", "--out", str(tmp_path / "new" / "bench.md"), "--repeats", "1"])
    benchmark.main()
    text = (tmp_path / "new" / "bench.md").read_text()
    for form in ("stock", "default", "recompute", "checkpoint"):
        assert text.count(f"| {form} | ") == 1
    assert "1×1×16×8×8" in text
