"""The layers that ROG is made of: normalisation, separable and pre-activated convolutions.

Those with an attribute ``operators`` ("auto", "fast" or "stock") compute the same in each form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from seat_components.networks.export import is_scripting, stock_operators_only
from seat_components.networks.fast_ops import depthwise_conv3d, in_layout, instance_norm, pointwise_conv3d

Output = TypeVar("Output")


def rerun_in_backward(part: Callable[..., Output], *args: Tensor | bool) -> Output:
    """``part(*args)``, keeping nothing inside it for the backward pass, which runs it once more."""
    if not torch.is_grad_enabled() or stock_operators_only():
        return part(*args)
    return checkpoint(part, *args, use_reentrant=False)  # type: ignore[no-any-return]


class _DepthwiseConv3d(nn.Conv3d):
    """Depthwise 3×3×3 convolution with padding 1 and no bias."""

    def __init__(self, channels: int, stride: Sequence[int]) -> None:
        steps = (stride[0], stride[1], stride[2])
        super().__init__(channels, channels, 3, steps, padding=1, groups=channels, bias=False)
        self.steps = list(steps)
        self.operators = "auto"

    def forward(self, volume: Tensor) -> Tensor:
        """(B, C, D, H, W) → (B, C, ⌈D / stride⌉, …)."""
        return depthwise_conv3d(volume, self.weight, self.steps, self.operators)


class PointwiseConv3d(nn.Conv3d):
    """1×1×1 convolution without bias."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1, bias=False)
        self.operators = "auto"

    def forward(self, volume: Tensor) -> Tensor:
        """(B, in, D, H, W) → (B, out, D, H, W)."""
        return pointwise_conv3d(volume, self.weight, self.operators)


class SeparableConv3d(nn.Module):
    """Depthwise 3×3×3 convolution followed by a pointwise one, both without bias."""

    def __init__(self, in_channels: int, out_channels: int, stride: Sequence[int] = (1, 1, 1)) -> None:
        super().__init__()
        self.depthwise = _DepthwiseConv3d(in_channels, stride)
        self.pointwise = PointwiseConv3d(in_channels, out_channels)

    def forward(self, volume: Tensor) -> Tensor:
        """(B, in, D, H, W) → (B, out, ⌈D / stride⌉, …)."""
        result: Tensor = self.pointwise(self.depthwise(volume))
        return result


class InstanceNorm(nn.InstanceNorm3d):
    """Affine instance normalisation without running statistics, optionally followed by swish or a residual."""

    def __init__(self, channels: int, swish: bool = False) -> None:
        super().__init__(channels, affine=True)
        self.swish = swish
        self.operators = "auto"

    def forward(self, volume: Tensor, residual: Tensor | None = None) -> Tensor:
        """Shape kept: (B, C, D, H, W); ``residual``, of the same shape, is added to the result."""
        return instance_norm(volume, self.weight, self.bias, self.eps, self.swish, residual, self.operators)


class PreActivation(nn.Module):
    """Instance normalisation (where ``norm_channels`` is given), swish, then the convolution ``conv``."""

    def __init__(self, conv: nn.Module, norm_channels: int | None = None) -> None:
        super().__init__()
        self.norm = nn.SiLU() if norm_channels is None else InstanceNorm(norm_channels, swish=True)
        self.conv = conv
        self.operators = "auto"

    def forward(self, volume: Tensor, recompute: bool) -> Tensor:
        """What ``conv`` makes of the activated volume; ``recompute`` keeps only ``volume`` for the backward pass."""
        if not is_scripting() and recompute:
            return rerun_in_backward(self.activate_and_convolve, volume)
        return self.activate_and_convolve(volume)

    def activate_and_convolve(self, volume: Tensor) -> Tensor:
        """The forward pass itself."""
        # Where PyTorch takes another convolution for small volumes, it leaves channels-last layout.
        return in_layout(self.conv(self.norm(volume)), self.operators)
