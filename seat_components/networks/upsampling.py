"""Trilinear upsampling: PyTorch's on the CPU, elsewhere a small interpolation matrix per axis.

PyTorch's kernel for GPUs has few threads, adds eight values atomically for each gradient, so that no two runs are the
same to the bit, and runs in 32 bit under autocast. A matrix product does none of this. On a CPU it takes longer.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seat_components.networks.export import is_scripting, stock_operators_only


def upsample(volume: Tensor, scale: list[float]) -> Tensor:
    """Trilinear upsampling with aligned corners.

    Args:
        volume: (B, C, D, H, W).
        scale: three factors.

    Returns:
        (B, C, D · scale, …), of the volume's type, on a CPU also under autocast.
    """
    if scale == [1.0, 1.0, 1.0]:
        return volume
    if is_scripting():
        result = F.interpolate(volume, scale_factor=scale, mode="trilinear", align_corners=True)
    elif volume.device.type != "cpu" and not stock_operators_only():
        result = _upsample_by_matrices(volume, scale)
    else:
        result = F.interpolate(volume, scale_factor=scale, mode="trilinear", align_corners=True)
    return result


def _upsample_by_matrices(volume: Tensor, scale: list[float]) -> Tensor:
    """``upsample`` as one matrix product per axis, in the volume's type and memory layout; the same in every run."""
    last = volume.is_contiguous(memory_format=torch.channels_last_3d) and not volume.is_contiguous()
    # With the axes in the order in which they lie in memory, each product reads and writes whole rows.
    values = volume.permute(0, 2, 3, 4, 1) if last else volume.contiguous()
    with _without_autocast(volume.device.type):
        for axis, factor in enumerate(scale, start=1 if last else 2):
            if factor != 1:
                values = _stretch(values, axis, int(values.shape[axis] * factor))
    return values.permute(0, 4, 1, 2, 3) if last else values


def _stretch(values: Tensor, axis: int, size: int) -> Tensor:
    """``values``, contiguous, interpolated to ``size`` places along ``axis``."""
    before = values.shape[axis]
    matrix = _interpolation(before, size, values.dtype, values.device)
    if axis == values.ndim - 1:
        return values @ matrix.T
    rows = values.shape[:axis].numel()
    result = torch.bmm(matrix.expand(rows, -1, -1), values.reshape(rows, before, -1))
    return result.view(*values.shape[:axis], size, *values.shape[axis + 1 :])


@lru_cache(maxsize=64)
def _interpolation(before: int, after: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(after, before): what PyTorch's linear interpolation makes of each unit vector."""
    # A network may be called first where no gradient can be taken later, and the matrix is kept.
    with torch.inference_mode(False):
        units = torch.eye(before, dtype=torch.float64)[None]
        matrix = F.interpolate(units, size=after, mode="linear", align_corners=True)[0].T.contiguous()
        return matrix.to(device, dtype)


def _without_autocast(device: str) -> AbstractContextManager[Any]:
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()
