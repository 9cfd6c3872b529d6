"""The buffers of networks, such as BatchNorm's running statistics, put back after a use that is no training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Buffers:
    """The buffers of networks as they are now.

    Args:
        networks: the networks.
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        self._saved = [(buffer, buffer.clone()) for network in networks for buffer in network.buffers()]

    def changed(self) -> bool:
        """Whether any of them is another now."""
        return any(not _alike(buffer, before) for buffer, before in self._saved)

    def put_back(self) -> None:
        """Make them what they were; no graph that is still to be gone back through hears of it."""
        for buffer, before in self._saved:
            if not buffer.is_inference():
                buffer.data.copy_(before)


def _alike(one: Tensor, other: Tensor) -> bool:
    same = torch.equal(one, other)
    return same or (one.is_floating_point() and bool(torch.isclose(one, other, 0, 0, equal_nan=True).all()))
