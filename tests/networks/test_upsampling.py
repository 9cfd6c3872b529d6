"""Upsampling by matrices equals PyTorch's, in value, gradient and layout, and keeps the type that it is given."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seat_components.networks import upsampling
from seat_components.networks.upsampling import upsample

SIZES = [(4, 6, 4), (5, 7, 3), (1, 4, 2), (1, 1, 1), (48, 3, 2)]
SCALES = [[2.0, 2.0, 2.0], [2.0, 2.0, 1.0], [1.0, 1.0, 2.0], [3.0, 2.0, 1.0]]
LAYOUTS = [torch.contiguous_format, torch.channels_last_3d]


def stock(volume: Tensor, scale: list[float]) -> Tensor:
    return F.interpolate(volume, scale_factor=scale, mode="trilinear", align_corners=True)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", SIZES)
def test_matrices_equal_the_stock_interpolation(
    size: tuple[int, ...], scale: list[float], layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    volume = torch.randn(2, 3, *size, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    expected, result = stock(volume, scale), upsampling._upsample_by_matrices(volume, scale)
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    assert result.is_contiguous(memory_format=layout)
    grad = torch.randn_like(expected)
    (wanted,) = torch.autograd.grad(expected, volume, grad)
    (found,) = torch.autograd.grad(result, volume, grad)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_under_autocast_the_type_is_the_inputs(dtype: torch.dtype) -> None:
    volume = torch.randn(2, 3, 4, 4, 4, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        result = upsampling._upsample_by_matrices(volume.to(dtype), [2.0, 2.0, 2.0])
    assert result.dtype == dtype
    expected = stock(volume, [2.0, 2.0, 2.0])
    torch.testing.assert_close(result.float(), expected, rtol=0.03, atol=0.03)


def test_a_matrix_made_in_inference_serves_training() -> None:
    upsampling._interpolation.cache_clear()
    volume = torch.randn(1, 2, 3, 4, 5, requires_grad=True)
    with torch.inference_mode():
        upsampling._upsample_by_matrices(volume, [2.0, 2.0, 2.0])
    upsampling._upsample_by_matrices(volume, [2.0, 2.0, 2.0]).sum().backward()
    assert volume.grad is not None


@pytest.mark.parametrize(("device", "calls"), [("cpu", 1), ("meta", 0)])
def test_stock_interpolation_is_asked_on_a_cpu_only(monkeypatch: pytest.MonkeyPatch, device: str, calls: int) -> None:
    volume = torch.zeros(1, 2, 4, 4, 4, device=device)
    upsample(volume, [2.0, 2.0, 2.0])
    seen: list[Tensor] = []
    monkeypatch.setattr(F, "interpolate", lambda volume, **_options: seen.append(volume))
    upsample(volume, [2.0, 2.0, 2.0])
    assert len(seen) == calls
