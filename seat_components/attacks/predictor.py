"""The predictor under attack: its mode and buffers are put back as found, and its passes are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from seat_components.attacks.modules_behind import modules_behind
from seat_components.buffers import Buffers

Predictor = Callable[[Tensor], Tensor]
"""Image (B, C, *spatial) → logits (B, K, *spatial): an ``nn.Module`` or any callable."""


def ask(predictor: Predictor, image: Tensor) -> Tensor:
    """The predictor's answer for ``image``, of which it gets a copy: some networks change their input in place."""
    return predictor(image.clone())


class PredictorWrapper:
    """A predictor inside another; what is inside is found by ``evaluating``.

    Args:
        predictor: image (B, C, *spatial) → logits (B, K, *spatial).
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def __call__(self, image: Tensor) -> Tensor:
        """The predictor's answer."""
        return self.predictor(image)


class CountingPredictor(PredictorWrapper):
    """A predictor that counts what an attack costs, in passes of one sample.

    A backward pass is counted where the gradient reaches the logits, so nothing has to be reported by the attack.

    Args:
        predictor: image (B, C, *spatial) → logits (B, K, *spatial).

    Attributes:
        forwards: forward passes so far; a batch of B counts B.
        backwards: backward passes so far; a batch of B counts B.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__(predictor)
        self.forwards = 0
        self.backwards = 0

    def __call__(self, image: Tensor) -> Tensor:
        """The predictor's logits, (B, K, *spatial)."""
        self.forwards += len(image)
        logits = super().__call__(image)
        if isinstance(logits, Tensor) and logits.requires_grad:
            logits.register_hook(self._count_backward)
        return logits

    def _count_backward(self, gradient: Tensor) -> None:
        self.backwards += len(gradient)


@contextmanager
def evaluating(predictor: Predictor) -> Iterator[None]:
    """Set an ``nn.Module`` (also inside a ``PredictorWrapper``) to evaluation mode, its parameters frozen.

    A frozen network spends no time on gradients that no attack needs. Each submodule's mode and each parameter's flag
    is put back, and so is each buffer. The mode of a network behind any other callable is its caller's business, its
    buffers are not.
    """
    buffers = Buffers(modules_behind(predictor))
    while isinstance(predictor, PredictorWrapper):
        predictor = predictor.predictor
    network = predictor if isinstance(predictor, nn.Module) else nn.Module()
    # A frozen TorchScript module has lost its mode.
    modes = [(part, part.training) for part in network.modules() if hasattr(part, "training")]
    learning = [part for part in network.parameters() if part.requires_grad]
    try:
        for part, _ in modes:
            part.training = False
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for part, training in modes:
            part.training = training
        for parameter in learning:
            parameter.requires_grad_(True)
        buffers.put_back()
