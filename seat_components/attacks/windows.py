"""Sliding-window inference whose gradient is taken window by window, so that whole volumes can be attacked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.data.utils import compute_importance_map
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Network = Callable[[Tensor], Tensor]
Place = tuple[slice, ...]


class WindowwiseInferer(SlidingWindowInferer):
    """MONAI's sliding-window inference, the same values, with a gradient that needs the memory of one window.

    Going forward no graph is kept. Going backward each window is predicted once more, alone, and its share of the
    gradient is added to the volume's: the graph of one window, and besides it four volumes of the image's channels and
    three of the logits' (image, gradient; logits, their gradient, its weights), whatever the number of windows. A pass
    back costs a second pass forward. A volume may lie on the CPU while the network is on a GPU: windows go there, and
    what comes of them comes back.

    Args:
        roi_size: window size in voxels, one number per spatial axis.
        sw_batch_size: windows predicted at once, going forward.
        overlap: share of a window that the next one covers again.
        mode: how windows are blended, ``gaussian`` or ``constant``.
    """

    def __init__(
        self, roi_size: Sequence[int], sw_batch_size: int = 1, overlap: float = 0.5, mode: str = "gaussian"
    ) -> None:
        super().__init__(tuple(roi_size), sw_batch_size, overlap, mode, with_coord=True)

    def __call__(self, inputs: Tensor, network: Network, *_: Any, **__: Any) -> Tensor:
        """The blended logits (B, K, *spatial) of ``inputs`` (B, C, *spatial)."""
        # As MONAI does inside, but here where the gradient passes through: volumes smaller than a window are padded.
        missing = [max(0, window - size) for window, size in zip(self.roi_size, inputs.shape[2:], strict=True)]
        before = [lack // 2 for lack in missing]
        pads = [pad for low, lack in zip(before, missing, strict=True) for pad in (lack - low, low)]
        apply: Callable[..., Tensor] = _Windows.apply
        logits = apply(F.pad(inputs, pads[::-1]), self, network)
        inner = [slice(low, low + size) for low, size in zip(before, inputs.shape[2:], strict=True)]
        return logits[(slice(None), slice(None), *inner)]

    def blend(self, inputs: Tensor, network: Network) -> tuple[Tensor, list[Place]]:
        """The blended logits, and where the windows lie, each as an index into ``inputs``."""
        places: list[Place] = []

        def visit(windows: Tensor, coordinates: Sequence[Sequence[slice]]) -> Tensor:
            places.extend(tuple(place) for place in coordinates)
            return _predicted(network, windows)

        return super().__call__(inputs, visit), places

    def weights(self, like: Tensor, places: Sequence[Place]) -> tuple[Tensor, Tensor]:
        """A window's blending weights (*window), and their sum over all windows of a sample (*spatial)."""
        window = tuple(axis.stop - axis.start for axis in places[0][2:])
        own = compute_importance_map(
            window, mode=self.mode, sigma_scale=self.sigma_scale, device=like.device, dtype=like.dtype
        )
        total = like.new_zeros(like.shape[2:])
        for place in places:
            if place[0].start == 0:  # every sample has the same windows
                total[place[2:]] += own
        return own, total


class _Windows(torch.autograd.Function):
    """Blended logits of all windows; the gradient, one window after the other."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, inferer: WindowwiseInferer, network: Network) -> Tensor:
        """Predict without a graph."""
        logits, ctx.places = inferer.blend(inputs, network)
        ctx.save_for_backward(inputs)
        ctx.inferer, ctx.network = inferer, network
        return logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Σ over windows of Jacobianᵀ · (weight / total weight · gradient), each at its place."""
        (inputs,) = ctx.saved_tensors
        own, total = ctx.inferer.weights(gradient, ctx.places)
        gradient = gradient / total
        result = torch.zeros_like(inputs)
        for place in ctx.places:
            result[place] += _through(ctx.network, inputs[place], own * gradient[place])
        return result, None, None


def _predicted(network: Network, windows: Tensor) -> Tensor:
    """The logits of ``windows``, where the windows lie, computed where the network does."""
    parameter = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    logits = network(windows if parameter is None else windows.to(parameter.device))
    return logits.to(windows.device)


def _through(network: Network, window: Tensor, gradient: Tensor) -> Tensor:
    """``gradient`` of a window's logits taken back to the window; its graph ends with this call."""
    window = window.detach().requires_grad_()
    with torch.enable_grad():
        logits = _predicted(network, window)
    if not logits.requires_grad:
        raise ValueError(
            "the network's logits carry no gradient to its window: attack a differentiable network, or use the "
            "attack 'square', which needs none"
        )
    return torch.autograd.grad(logits, window, gradient)[0]
