"""What a training step needs in memory, and how a batch is fitted into what there is."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor, nn

from seat_components.device import available_bytes
from seat_components.files import GIB
from seat_components.refusals import refuse
from seat_components.training.autocast_rules import AutocastRules

logger = logging.getLogger(__name__)

# Of the free memory, what a step may plan with; the rest is for data, validation and the allocator's gaps.
USABLE_SHARE = 0.75
# On a CPU a piece larger than this takes more time per patch: its tensors are mapped afresh at every step.
CPU_PIECE_BYTES = 2 * GIB
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class StepPlan:
    """How each batch is trained.

    Attributes:
        pieces: parts that a batch is split into.
        step_bytes: memory a step needs at its peak, estimated.
        available_bytes: free memory on the device.
    """

    pieces: int
    step_bytes: int
    available_bytes: int


def plan_step(
    network: nn.Module,
    patch_shape: Sequence[int],
    batch_size: int,
    device: str | torch.device,
    default_batch_size: int | None = None,
    accumulate: int | None = None,
    memory: str | None = None,
    amp: bool = False,
) -> StepPlan:
    """Say what a step needs, and split the batch, or switch the network's memory mode, where it would not fit.

    Args:
        network: the network; one with an attribute ``memory`` ("default", "recompute", "checkpoint") can be switched.
        patch_shape: (C, *spatial) of one sample.
        batch_size: samples per batch.
        device: where it trains.
        default_batch_size: the bundle's own batch size. A larger one was asked for, so it is not split unasked.
        accumulate: parts per batch; None chooses as many as memory asks for, and on a CPU as many as are fastest.
        memory: memory mode; None chooses the fastest that fits. (Splitting costs less time than recomputing, so a
            batch is split first, down to single patches.)
        amp: whether it trains under CUDA's autocast; on another device there is none.

    Returns:
        The plan; ``network.memory`` is set.

    Raises:
        RefusalError: if what was given explicitly cannot fit; the message says what would.
    """
    if batch_size < 1:
        refuse(f"batch_size is {batch_size}, but a batch has at least 1 sample.")
    if accumulate is not None and not 1 <= accumulate <= batch_size:
        refuse(f"accumulate is {accumulate}, but a batch of {batch_size} can be split into 1 to {batch_size} pieces.")
    available = available_bytes(torch.device(device))
    budget = int(available * USABLE_SHARE)
    asked_pieces = accumulate or (1 if default_batch_size and batch_size > default_batch_size else None)
    needed = math.ceil(batch_size / asked_pieces) if asked_pieces else 1
    amp = amp and torch.device(device).type == "cuda"
    for mode in _modes(network, memory):
        if mode is not None:
            network.memory = mode  # type: ignore[assignment]
        fixed, per_sample = step_bytes(network, patch_shape, amp)
        room = max((budget - fixed) // per_sample, 0)
        if room >= needed:
            break
    else:
        _refuse_step(batch_size, int(room), asked_pieces or 1, budget, fixed + per_sample)
    if torch.device(device).type == "cpu" and not _mixes_samples(network):
        room = min(room, max(CPU_PIECE_BYTES // per_sample, 1))
    pieces = accumulate or math.ceil(batch_size / room)
    if pieces > 1 and _mixes_samples(network):
        logger.warning("The network has batch norm: it sees the statistics of each piece, not of the whole batch.")
    plan = StepPlan(pieces, fixed + per_sample * math.ceil(batch_size / pieces), available)
    split = f" in {pieces} pieces" if pieces > 1 else ""
    style = f", memory mode {mode}" if mode is not None else ""
    logger.info(
        f"A step of {batch_size} patches {tuple(patch_shape)}{split}{style} needs about "
        f"{plan.step_bytes / GIB:.1f} GiB; {available / GIB:.1f} GiB are free on {device}."
    )
    return plan


def in_memory_mode(network: nn.Module, memory: str | None) -> nn.Module:
    """``network``, switched to a memory mode for attacks, which differentiate as training does.

    Args:
        network: as for ``plan_step``.
        memory: "default", "recompute" or "checkpoint"; None changes nothing.

    Raises:
        ValueError: if there is no such mode.
    """
    for mode in _modes(network, memory) if memory is not None else []:
        if mode is not None:
            network.memory = mode  # type: ignore[assignment]
            logger.info(f"The network is in memory mode {mode}.")
    return network


def _mixes_samples(network: nn.Module) -> bool:
    """Whether a sample's result depends on its batch (batch norm), so that splitting a batch changes it."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())


def _modes(network: nn.Module, memory: str | None) -> list[str | None]:
    """The modes to try, fastest first; None stands for a network that has no choice."""
    if not hasattr(network, "memory"):
        if memory is not None:
            logger.warning(f"memory={memory} is ignored: {type(network).__name__} has no such mode.")
        return [None]
    return [memory] if memory is not None else ["default", "recompute", "checkpoint"]


def _refuse_step(batch_size: int, room: int, pieces: int, budget: int, smallest: int) -> NoReturn:
    """Say what would fit instead."""
    if room == 0:
        refuse(
            f"One patch alone needs about {smallest / GIB:.1f} GiB, but only {budget / GIB:.1f} GiB can be used. "
            "Take a smaller patch_size, or a machine with more memory."
        )
    refuse(
        f"A batch of {batch_size} in {pieces} piece(s) does not fit into {budget / GIB:.1f} GiB: "
        f"take --batch_size {room * pieces}, or keep the batch and take --accumulate {math.ceil(batch_size / room)}."
    )


def step_bytes(network: nn.Module, patch_shape: Sequence[int], amp: bool = False) -> tuple[int, int]:
    """Estimated peak memory of a training step: (fixed, per sample), in bytes.

    Runs the forward pass on the meta device, where tensors have shapes but no content, and adds up what autograd
    keeps for the backward pass. Fixed: weights, gradients, momentum. Per sample: what is kept, and room for the
    largest tensors that the backward pass, or one recomputed part of the network, holds beside it, and for the loss.

    Args:
        network: the network.
        patch_shape: (C, *spatial) of one sample.
        amp: whether convolutions run in 16 bit, as under CUDA's autocast, or all in float32.
    """
    parameters = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    kept, largest, logits = _saved_for_backward(network, patch_shape, amp)
    return 3 * parameters, max(kept + 10 * largest + 2 * _FLOAT_BYTES * logits, 1)


def _saved_for_backward(network: nn.Module, patch_shape: Sequence[int], amp: bool) -> tuple[int, int, int]:
    """Bytes that autograd keeps for one sample, the largest single one, and the number of logits."""
    with torch.random.fork_rng(devices=[]):
        try:
            return _kept_on("meta", network, patch_shape, amp)
        except Exception:  # a network that looks at what it computes
            return _kept_on("cpu", network, patch_shape, amp)


def _kept_on(device: str, network: nn.Module, patch_shape: Sequence[int], amp: bool) -> tuple[int, int, int]:
    twin = copy.deepcopy(network).to(device)
    own = {parameter.untyped_storage()._cdata for parameter in twin.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        # Views share a storage, which counts once; keeping the tensor keeps its address from being used again.
        kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    # Two samples, as batch norm in training mode refuses one, and halves of what they take.
    image = torch.zeros((2, *patch_shape), device=device, requires_grad=True)
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        AutocastRules() if amp else nullcontext(),
    ):
        logits = twin.train()(image)
    if not isinstance(logits, Tensor):
        refuse(
            f"{type(network).__name__} returns a {type(logits).__name__} in training mode, not one tensor of logits: "
            "switch its deep supervision or further outputs off, or take another network."
        )
    sizes = [tensor.untyped_storage().nbytes() // 2 for address, tensor in kept.items() if address not in own]
    return sum(sizes), max(sizes, default=0), logits.numel() // 2
