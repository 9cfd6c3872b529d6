"""Sliding-window inference of volumes that a GPU has no room for: it predicts windows, the CPU puts them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from monai.inferers import SlidingWindowInferer, SlidingWindowInfererAdapt
from torch import Tensor

from seat_components.device import home_of, inference_bytes


class VolumeInferer(SlidingWindowInfererAdapt):
    """MONAI's sliding-window inference, the same values, whose result is on the CPU where it is too large for a GPU.

    It is too large by the estimate of ``inference_bytes`` beside what is free, or if the GPU turns out to be full
    (see ``SlidingWindowInfererAdapt``). What follows, such as the way back into the scan's grid, happens where the
    result is. Sums on the CPU and on a GPU may differ in the last digits.

    Args:
        roi_size: window size in voxels, one number per spatial axis.
        classes: K, of the network's logits.
        sw_batch_size: windows predicted at once.
        overlap: share of a window that the next one covers again.
        mode: how windows are blended, ``gaussian`` or ``constant``.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        classes: int,
        sw_batch_size: int = 1,
        overlap: float = 0.5,
        mode: str = "gaussian",
    ) -> None:
        # A buffer of slabs on the GPU would add up windows in another order.
        super().__init__(tuple(roi_size), sw_batch_size, overlap, mode, buffer_steps=0)
        self.classes = classes

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """The blended logits (B, K, *spatial) of ``inputs`` (B, C, *spatial)."""
        home = home_of(inputs.shape, inference_bytes(inputs.shape, self.classes), inputs.device)
        if home != inputs.device:
            logits: Tensor = SlidingWindowInferer.__call__(self, inputs, network, *args, device=home, **kwargs)
        else:
            logits = super().__call__(inputs, network, *args, **kwargs)
        return logits
