"""The network inside a wrapper for data-parallel training."""

from __future__ import annotations

from torch import nn


def unwrap(network: nn.Module) -> nn.Module:
    """The network inside ``DistributedDataParallel``, or the network itself."""
    inner = getattr(network, "module", network)
    return inner if isinstance(inner, nn.Module) else network
