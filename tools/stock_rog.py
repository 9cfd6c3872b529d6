"""ROG in its stock form, from stock PyTorch functions alone: what the fast form must equal, and is timed against."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from seat_components.networks.rog import LATTICE, ROG

EPS = 1e-5


class StockROG(nn.Module):
    """The function of ``network``, on the very same parameters, in the usual memory layout."""

    def __init__(self, network: ROG, strides: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.network = network
        self.strides = [tuple(stride) for stride in strides]

    def forward(self, image: Tensor) -> Tensor:
        """(B, M, *spatial) → logits (B, K, *spatial)."""
        weights = dict(self.network.named_parameters())

        def norm(name: str, volume: Tensor) -> Tensor:
            return F.instance_norm(volume, weight=weights[f"{name}.weight"], bias=weights[f"{name}.bias"], eps=EPS)

        def pointwise(name: str, volume: Tensor, stride: tuple[int, ...] = (1, 1, 1)) -> Tensor:
            return F.conv3d(volume, weights[f"{name}.weight"], stride=stride)

        def separable(name: str, volume: Tensor, stride: tuple[int, ...] = (1, 1, 1)) -> Tensor:
            weight = weights[f"{name}.depthwise.weight"]
            volume = F.conv3d(volume, weight, stride=stride, padding=1, groups=len(weight))
            return pointwise(f"{name}.pointwise", volume)

        def upsample(volume: Tensor, stride: tuple[int, ...]) -> Tensor:
            scale = [float(step) for step in stride]
            return F.interpolate(volume, scale_factor=scale, mode="trilinear", align_corners=True)

        s0, s1, s2 = self.strides
        steps = (s1, s2, (2, 2, 2), (2, 2, 2))
        volume = swish(norm("stem.conv2.norm", separable("stem.conv1", image)))
        small = swish(norm("stem.norm2", separable("stem.conv2.conv", volume, s0)))
        volume = swish(norm("stem.conv4.norm", separable("stem.conv3", small)))
        sent = {-1: small, 0: norm("stem.norm4", separable("stem.conv4.conv", volume, s1))}
        for column, level, sends in LATTICE:
            name = f"lattice.column{column}_level{level}"
            received = sent.pop(level)
            core = norm(f"{name}.conv2.norm", separable(f"{name}.conv1.conv", swish(received)))
            same = received + norm(f"{name}.norm2", separable(f"{name}.conv2.conv", swish(core)))
            results = {}
            if "same" in sends:
                results[level] = same
            if "up" in sends:
                reduced = norm(f"{name}.up.norm", pointwise(f"{name}.up.reduce.conv", swish(same)))
                results[level - 1] = upsample(reduced, steps[level])
            if "down" in sends:
                widened = pointwise(f"{name}.down.widen.conv", swish(same), steps[level + 1])
                results[level + 1] = norm(f"{name}.down.norm", widened)
            for target, value in results.items():
                sent[target] = sent[target] + value if target in sent else value
        volume = F.conv3d(swish(sent[-1]), weights["head.conv1.conv.weight"], padding=1)
        return pointwise("head.conv2", swish(upsample(norm("head.norm1", volume), s0)))


def swish(volume: Tensor) -> Tensor:
    """x·sigmoid(x)."""
    return volume * volume.sigmoid()
