"""APGD against what an inner layer computes, instead of against the answer; measured by ``tools.single_attacks``.

The attacked image's features are driven away from the clean image's: the loss is 1 − their cosine similarity.

Source: Halmosi & Jelasity, ECCV 2024 (arXiv 2407.09150), who find such attacks stronger on some robust networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seat_components.attacks import Predictor, apgd
from seat_components.attacks.modules_behind import modules_behind
from seat_components.attacks.predictor import ask

Choice = Callable[[list[Tensor]], int]
"""The inputs of a network's convolutions, in the order of the forward pass → which of them are the features."""


def last(inputs: list[Tensor]) -> int:
    """What the head reads."""
    return len(inputs) - 1


def deepest(inputs: list[Tensor]) -> int:
    """The last of the smallest grid."""
    return max(range(len(inputs)), key=lambda place: (-inputs[place][0, 0].numel(), place))


def feature_attack(predictor: Predictor, image: Tensor, label: Tensor, *, choice: Choice, **options: Any) -> Tensor:
    """Attack the features of a network that is asked once per pass; ``options`` are those of ``apgd``."""
    with _convolution_inputs(predictor) as inputs:
        with torch.no_grad():
            ask(predictor, image)
        place = choice(inputs)
        clean = inputs[place].flatten(1)

        def loss(*_: Tensor) -> Tensor:
            return 1 - F.cosine_similarity(inputs[place].flatten(1), clean)

        return apgd(predictor, image, label, loss=loss, **options)


@contextmanager
def _convolution_inputs(predictor: Predictor) -> Iterator[list[Tensor]]:
    """The inputs of all convolutions in the last forward pass, in its order."""
    modules = modules_behind(predictor)
    inputs: list[Tensor] = []

    def begin(*_: Any) -> None:
        inputs.clear()

    def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        inputs.append(given[0])

    outer = [module for module in modules if not any(module in set(other.children()) for other in modules)]
    parts = [part for module in outer for part in module.modules()]
    convolutions = {part for part in parts if isinstance(part, nn.modules.conv._ConvNd)}
    hooks = [outer[0].register_forward_pre_hook(begin)]
    hooks += [part.register_forward_pre_hook(note) for part in convolutions]
    try:
        yield inputs
    finally:
        for hook in hooks:
            hook.remove()
