"""ROG, the lattice network for robust general medical segmentation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seat_components.networks.export import is_scripting, stock_operators_only
from seat_components.networks.fast_ops import in_layout
from seat_components.networks.layers import (
    InstanceNorm,
    PointwiseConv3d,
    PreActivation,
    SeparableConv3d,
    rerun_in_backward,
)
from seat_components.networks.operators import OPERATORS
from seat_components.networks.upsampling import upsample

MEMORY_MODES = ("default", "recompute", "checkpoint")
_LEVEL_CHANNELS = (64, 128, 256, 512)
_SMALL_CHANNELS = 32

# The cells in the order in which they run: (column, level, what they send). "up" goes to the level above, where
# level 0's goes to the head, "same" to their own level, "down" to the level below.
LATTICE = (
    (0, 0, "same down"),
    (1, 1, "up same down"),
    (2, 0, "same down"),
    (2, 2, "up same down"),
    (3, 1, "up same down"),
    (3, 3, "up same"),
    (4, 0, "same down"),
    (4, 2, "up same down"),
    (5, 1, "up same down"),
    (5, 3, "up"),
    (6, 0, "same down"),
    (6, 2, "up"),
    (7, 1, "up"),
    (8, 0, "up"),
)


class ROG(nn.Module):
    """Lattice of cells on four resolutions, which keeps the finest one from the first cell to the last.

    Source: Daza, Pérez, Arbeláez, "Towards Robust General Medical Image Segmentation", MICCAI 2021.

    Args:
        in_channels: channels of the image.
        out_channels: classes, background included.
        strides: three strides of three axes: between the image and the stem's first half, between its halves (level
            0), and between levels 0 and 1. Deeper levels halve each axis.
        dropout: probability with which channels are dropped before the last convolution.
        memory: what is kept for the backward pass: "default" all that it needs; "recompute" only what normalisations
            and activations read; "checkpoint" only what cells read. Each keeps less and takes longer than the one
            before; results are equal. May be set on the finished network as well.
        operators: "fast" runs operators of our own, which serve a CPU; "stock" PyTorch's; "auto" the former on a CPU
            and the latter elsewhere. Results are equal. May be set on the finished network as well.

    Raises:
        ValueError: if ``strides`` are not three times three positive integers, or ``memory`` or ``operators`` is none
            of the above.
    """

    __jit_unused_properties__ = ("memory", "operators")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        strides: Sequence[Sequence[int]],
        dropout: float = 0.0,
        memory: str = "default",
        operators: str = "auto",
    ) -> None:
        super().__init__()
        if [len(stride) for stride in strides] != [3, 3, 3] or min(min(stride) for stride in strides) < 1:
            raise ValueError(f"strides must be three lists of three integers of at least 1, not {strides!r}.")
        s0, s1, s2 = strides
        self.in_channels = in_channels
        self.multiples = [a * b * c * 4 for a, b, c in zip(s0, s1, s2, strict=True)]
        self.memory = memory
        self.stem = _Stem(in_channels, s0, s1)
        # Between a level and the one above it; above level 0 is the head, at the resolution of the stem's first half.
        steps = (s1, s2, (2, 2, 2), (2, 2, 2))
        self.lattice = nn.ModuleDict(
            {
                f"column{column}_level{level}": _Cell(
                    level,
                    up_scale=steps[level] if "up" in sends else None,
                    same="same" in sends,
                    down_stride=steps[level + 1] if "down" in sends else None,
                )
                for column, level, sends in LATTICE
            }
        )
        self.head = _Head(out_channels, s0, dropout)
        self.operators = operators

    @property
    def memory(self) -> str:
        """What is kept for the backward pass: "default", "recompute" or "checkpoint"."""
        return self._memory

    @memory.setter
    def memory(self, mode: str) -> None:
        if mode not in MEMORY_MODES:
            raise ValueError(f"memory is {mode!r}, but must be one of {', '.join(MEMORY_MODES)}.")
        self._memory = mode

    @property
    def operators(self) -> str:
        """Which form of its operators runs: "auto", "fast" or "stock"."""
        return self._operators

    @operators.setter
    def operators(self, form: str) -> None:
        if form not in OPERATORS:
            raise ValueError(f"operators is {form!r}, but must be one of {', '.join(OPERATORS)}.")
        self._operators = form
        for layer in self.modules():
            if layer is not self and hasattr(layer, "operators"):
                layer.operators = form  # type: ignore[assignment]

    def forward(self, image: Tensor) -> Tensor:
        """Logits of an image.

        Args:
            image: (B, in_channels, D, H, W).

        Returns:
            (B, out_channels, D, H, W).

        Raises:
            ValueError: if the strides do not divide the image's size, or level 3 would be left with a single voxel.
        """
        if not is_scripting() and not stock_operators_only():
            self._check_size(image)
        recompute = self._memory != "default"
        if not is_scripting() and self._memory == "checkpoint":
            small, finest = rerun_in_backward(self.stem, image, recompute)
        else:
            small, finest = self.stem(image, recompute)
        # What was sent to the head and to levels 0 to 3, and not read yet.
        inbox = [[small], [finest], torch.jit.annotate(list[Tensor], []), [], []]
        for cell in self.lattice.values():
            level: int = cell.level  # type: ignore[assignment]
            received = _total(inbox[level + 1])
            inbox[level + 1] = []
            if not is_scripting() and self._memory == "checkpoint":
                up, same, down = rerun_in_backward(cell, received, recompute)
            else:
                up, same, down = cell(received, recompute)
            if up is not None:
                inbox[level].append(up)
            if same is not None:
                inbox[level + 1].append(same)
            if down is not None:
                inbox[level + 2].append(down)
        logits: Tensor = self.head(_total(inbox[0]), recompute)
        return logits

    def _check_size(self, image: Tensor) -> None:
        if image.ndim != 5 or image.shape[1] != self.in_channels:
            raise ValueError(
                f"The network reads images (batch, {self.in_channels}, depth, height, width), "
                f"but got one of shape {tuple(image.shape)}."
            )
        for axis, (size, multiple) in enumerate(zip(image.shape[2:], self.multiples, strict=True)):
            if size == 0 or size % multiple:
                raise ValueError(
                    f"Spatial axis {axis} of the image has {size} voxels, but the strides need a multiple of "
                    f"{multiple}: pad or crop it, for example to {max(-(-size // multiple), 1) * multiple}."
                )
        if list(image.shape[2:]) == self.multiples:
            raise ValueError(
                f"An image of {tuple(image.shape[2:])} voxels leaves a single voxel on the coarsest level, where "
                "nothing can be normalised: take twice as many on at least one axis."
            )


def _total(parts: list[Tensor]) -> Tensor:
    """The sum of tensors of one shape."""
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    return result


class _Stem(nn.Module):
    """From the image to level 0, in two halves of two separable convolutions each."""

    def __init__(self, in_channels: int, stride0: Sequence[int], stride1: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = SeparableConv3d(in_channels, _SMALL_CHANNELS)
        self.conv2 = PreActivation(SeparableConv3d(_SMALL_CHANNELS, _SMALL_CHANNELS, stride0), _SMALL_CHANNELS)
        self.norm2 = InstanceNorm(_SMALL_CHANNELS, swish=True)
        self.conv3 = SeparableConv3d(_SMALL_CHANNELS, _SMALL_CHANNELS)
        self.conv4 = PreActivation(SeparableConv3d(_SMALL_CHANNELS, _LEVEL_CHANNELS[0], stride1), _SMALL_CHANNELS)
        self.norm4 = InstanceNorm(_LEVEL_CHANNELS[0])
        self.operators = "auto"

    def forward(self, image: Tensor, recompute: bool) -> tuple[Tensor, Tensor]:
        """(B, M, *spatial) → the first half's result (B, 32, …) for the head, and level 0's first value (B, 64, …)."""
        # The layout of a one-channel volume is ambiguous, and without this everything would run in the slow one.
        volume = in_layout(self.conv1(image), self.operators)
        small = self.norm2(self.conv2(volume, recompute))
        if not is_scripting() and recompute:
            return small, self.norm4(self.conv4(rerun_in_backward(self.conv3, small), recompute))
        return small, self.norm4(self.conv4(self.conv3(small), recompute))


class _Cell(nn.Module):
    """A residual core of two separable convolutions, and what it sends to the levels around it."""

    def __init__(
        self, level: int, up_scale: Sequence[int] | None, same: bool, down_stride: Sequence[int] | None
    ) -> None:
        super().__init__()
        channels = _LEVEL_CHANNELS[level]
        self.level = level
        self.same = same
        self.conv1 = PreActivation(SeparableConv3d(channels, channels))
        self.conv2 = PreActivation(SeparableConv3d(channels, channels), channels)
        self.norm2 = InstanceNorm(channels)
        self.up = None if up_scale is None else Up(channels, up_scale)
        self.down = None if down_stride is None else _Down(channels, down_stride)

    def forward(self, volume: Tensor, recompute: bool) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """(B, C, *spatial) → what goes up (B, C/2, …), stays (B, C, …) and goes down (B, 2C, …); None where nothing."""
        same: Tensor = self.norm2(self.conv2(self.conv1(volume, recompute), recompute), volume)
        up = None if self.up is None else self.up(same, recompute)
        down = None if self.down is None else self.down(same, recompute)
        return up, same if self.same else None, down


class Up(nn.Module):
    """Half the channels at a finer resolution."""

    def __init__(self, channels: int, scale: Sequence[int]) -> None:
        super().__init__()
        self.reduce = PreActivation(PointwiseConv3d(channels, channels // 2))
        self.norm = InstanceNorm(channels // 2)
        self.scale = [float(factor) for factor in scale]

    def forward(self, volume: Tensor, recompute: bool) -> Tensor:
        """(B, C, *spatial) → (B, C/2, *(spatial · scale))."""
        return upsample(self.norm(self.reduce(volume, recompute)), self.scale)


class _Down(nn.Module):
    """Twice the channels at a coarser resolution."""

    def __init__(self, channels: int, stride: Sequence[int]) -> None:
        super().__init__()
        self.widen = PreActivation(PointwiseConv3d(channels, 2 * channels))
        self.norm = InstanceNorm(2 * channels)
        self.stride = list(stride)

    def forward(self, volume: Tensor, recompute: bool) -> Tensor:
        """(B, C, *spatial) → (B, 2C, *(spatial / stride))."""
        # A strided 1×1×1 convolution reads only these voxels: the others need no activation.
        depth, height, width = self.stride
        result: Tensor = self.norm(self.widen(volume[:, :, ::depth, ::height, ::width], recompute))
        return result


class _Head(nn.Module):
    """From the finest resolution to logits of the image's size."""

    def __init__(self, out_channels: int, stride0: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.conv1 = PreActivation(nn.Conv3d(_SMALL_CHANNELS, _SMALL_CHANNELS, 3, padding=1, bias=False))
        self.norm1 = InstanceNorm(_SMALL_CHANNELS)
        self.scale = [float(factor) for factor in stride0]
        self.dropout = nn.Dropout3d(dropout)
        self.conv2 = PointwiseConv3d(_SMALL_CHANNELS, out_channels)

    def forward(self, volume: Tensor, recompute: bool) -> Tensor:
        """(B, 32, …) → logits (B, K, *spatial)."""
        volume = self.conv1(volume, recompute)
        if not is_scripting() and recompute:
            return rerun_in_backward(self.classify, volume)
        return self.classify(volume)

    def classify(self, volume: Tensor) -> Tensor:
        """Normalise, upsample, activate, and weigh the channels for each class."""
        features = self.dropout(nn.functional.silu(upsample(self.norm1(volume), self.scale)))
        # In the usual layout, so that callers may view the logits in any shape.
        logits: Tensor = self.conv2(features).contiguous()
        return logits
