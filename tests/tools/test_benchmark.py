"""The benchmark measures every form and writes a table."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tools import benchmark as program
from tools.measure import bandwidth, tensor_peak, traffic
from tools.work import LOSS_SCALE, WORK, Batch, Geometry, random_batch, step

TINY = Geometry("Tiny", (1, 1, 16, 8, 8), ((1, 1, 1), (1, 1, 1), (2, 2, 2)))
CPU = torch.device("cpu")


def test_peak_counts_what_is_held_at_once() -> None:
    def work() -> None:
        kept = torch.zeros(2**20, dtype=torch.uint8)
        for _ in range(3):
            kept = kept + torch.ones(2**20, dtype=torch.uint8)

    assert 3 * 2**20 <= tensor_peak(work, CPU) < 4 * 2**20


def test_traffic_counts_operands_once_and_views_not_at_all() -> None:
    volume = torch.ones(2**10)
    assert traffic(lambda: volume + volume.view(2, -1).flatten()) == 3 * 2**12
    assert traffic(lambda: volume.add_(1)) == 2**12
    assert traffic(lambda: volume[::2].view(-1, 4)) == 0


def test_bandwidth_is_what_a_copy_moves_per_second() -> None:
    assert 1e8 < bandwidth(CPU, size=2**22) < 1e13


@pytest.mark.parametrize("kind", WORK)
def test_work_leaves_values_finite_and_images_alone(kind: str) -> None:
    batch = random_batch(TINY, CPU)
    before = batch.image.clone()
    network = nn.Conv3d(1, 3, 1)
    WORK[kind](network, batch)
    assert torch.equal(batch.image, before)
    assert all(parameter.isfinite().all() for parameter in network.parameters())


def test_writes_one_line_per_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "GEOMETRIES", (TINY,))
    monkeypatch.setattr(program, "bandwidth", lambda _device: 1e10)
    monkeypatch.setattr("sys.argv", ["benchmark", "--out", str(tmp_path / "new" / "bench.md"), "--repeats", "1"])
    program.main()
    page = (tmp_path / "new" / "bench.md").read_text()
    for form in ("stock", "default", "recompute", "checkpoint"):
        assert page.count(f"| {form} | ") == 1
    assert "1×1×16×8×8" in page
    assert all(kind in page for kind in WORK)


def test_profiles_list_the_operators_of_each_form(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "GEOMETRIES", (TINY,))
    monkeypatch.setattr("sys.argv", ["benchmark", "--profile"])
    program.main()
    printed = capsys.readouterr().out
    for form in ("stock", "default", "recompute", "checkpoint"):
        assert f"\n{form}\n" in printed
    assert "aten::upsample_trilinear3d_backward" in printed
    assert "_InstanceNorm" in printed


def test_a_step_in_16_bit_is_scaled_as_in_training() -> None:
    batch = random_batch(TINY, CPU, amp=True)
    network = nn.Conv3d(1, 3, 1)
    step(network, batch)
    assert network.weight.grad is not None
    scaled = network.weight.grad / LOSS_SCALE
    step(network, Batch(batch.image, batch.label))
    torch.testing.assert_close(scaled, network.weight.grad, rtol=0.02, atol=1e-3)
