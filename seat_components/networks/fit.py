"""Whether a network fits the task: one forward pass, without data, before any time is spent."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from seat_components.refusals import reason, refuse


def check_network(
    network: nn.Module, channels: int, classes: int, window: Sequence[int], patch: Sequence[int] | None = None
) -> None:
    """Refuse a network that does not turn an image (B, C, *size) into logits (B, K, *size).

    The pass is made on the meta device, where tensors have shapes but no content; where a network cannot do that, on
    the CPU. The network, its mode and all random numbers are left as they are.

    Args:
        network: the network.
        channels: C, of the task's images.
        classes: K, the background among them.
        window: voxels of what it predicts at a time.
        patch: voxels of what it is trained on, in which mode some networks return other things; None if it is not.

    Raises:
        RefusalError: saying what came and what is needed.
    """
    if patch is not None:
        _check(network, channels, classes, patch, training=True)
    _check(network, channels, classes, window, training=False)


def _check(network: nn.Module, channels: int, classes: int, size: Sequence[int], training: bool) -> None:
    name, mode = type(network).__name__, "training" if training else "evaluation"
    # Two samples, as batch norm refuses a single value in training.
    shape = (2, channels, *size)
    try:
        answer = _answer(network, shape, training)
    except Exception as error:  # a network of another's may raise anything
        refuse(f"network_def: {name} cannot take an image {_words(shape)} in {mode}: {reason(error)}")
    needed = (2, classes, *size)
    wanted = f"one floating-point tensor {_words(needed)} is needed, with a logit for each of {classes} classes"
    if not isinstance(answer, Tensor):
        refuse(
            f"network_def: {name} gives {type(answer).__name__} for an image {_words(shape)} in {mode}, but {wanted}. "
            "Switch its deep supervision or further outputs off, or take another network."
        )
    if answer.shape != needed or not answer.is_floating_point():
        stacked = answer.ndim == len(needed) + 1
        hint = " Switch its deep supervision off." if stacked else _hint(answer, needed)
        kind = "" if answer.is_floating_point() else f" of {answer.dtype}"
        came = f"a tensor {_words(answer.shape)}{kind}"
        refuse(f"network_def: {name} gives {came} for an image {_words(shape)} in {mode}, but {wanted}.{hint}")
    if other := [key for key, value in network.state_dict().items() if not isinstance(value, Tensor)]:
        refuse(
            f"network_def: {name}'s state_dict holds {other[0]}, which is no tensor: weights files hold nothing else."
        )
    if training and not answer.requires_grad:
        refuse(
            f"network_def: what {name} gives depends on no weight that can be trained: let at least one parameter have "
            "requires_grad, and detach nothing on the way to the logits."
        )


def _answer(network: nn.Module, shape: Sequence[int], training: bool) -> Any:
    with torch.random.fork_rng(devices=[]), torch.set_grad_enabled(training):
        # Not all operations have a meta form, and some networks look at what they compute.
        with suppress(Exception):
            return copy.deepcopy(network).train(training).to("meta")(torch.empty(shape, device="meta"))
        return copy.deepcopy(network).train(training).to("cpu")(torch.zeros(shape))


def _hint(answer: Tensor, needed: Sequence[int]) -> str:
    if answer.ndim == len(needed) and answer.shape[2:] == torch.Size(needed[2:]):
        return f" Give it {needed[1]} output channels."
    return ""


def _words(shape: Sequence[int]) -> str:
    """(2, 1, 8, 8, 8) with its batch axis as B."""
    return f"(B, {', '.join(map(str, shape[1:]))})"
