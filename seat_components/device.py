"""The device that a run computes on: what it is, how exactly it computes, what is free on it, and when it is done."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn

from seat_components.files import GIB

logger = logging.getLogger(__name__)

# Where Linux tells a container's limit.
CONTROL_GROUP = Path("/sys/fs/cgroup")
# Of a GPU's free memory, what a whole volume may take; the rest is for the network's windows and the allocator's gaps.
VOLUME_SHARE = 0.5
_FLOAT_BYTES = 4


def described(device: torch.device | str, amp: bool | None = None, network: nn.Module | None = None) -> dict[str, Any]:
    """What records say of how something is computed, as ``records.computed`` states it.

    Args:
        device: any device of PyTorch's.
        amp: whether it is computed under autocast, in 16 bit where that is safe; None says nothing.
        network: what computes it; one with an attribute ``operators`` says which form of them it runs.
    """
    own = torch.device(device)
    said: dict[str, Any] = {"device": str(own)} | ({} if amp is None else {"amp": amp})
    if isinstance(operators := getattr(network, "operators", None), str):
        said["operators"] = operators
    if own.type != "cuda":
        return said
    # Older GPUs have no TF32, whatever PyTorch would allow.
    tf32 = torch.backends.cudnn.allow_tf32 and torch.cuda.get_device_capability(own) >= (8, 0)
    return {**said, "gpu": torch.cuda.get_device_name(own), "tf32": tf32}


def clock(device: torch.device) -> float:
    """Seconds, of which only differences mean anything, once the device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic()


def available_bytes(device: torch.device) -> int:
    """Free memory on ``device``.

    On a GPU with what PyTorch has reserved and does not use; on the CPU no more than the process's control group
    allows, shared out among the processes that ``torchrun`` has started on this machine.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + unused)
    free = int(psutil.virtual_memory().available)
    limit, used = CONTROL_GROUP / "memory.max", CONTROL_GROUP / "memory.current"
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()) != "max":
        free = min(free, int(text) - int(used.read_text()))
    return max(free, 0) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def inference_bytes(shape: Sequence[int], classes: int) -> int:
    """Estimated peak of predicting a volume (B, C, *spatial) and of its way back into the scan's grid, in bytes.

    C + 3K + 3 volumes of float32: the image, logits, probabilities and what is interpolated from them, the windows'
    weights, and places; as ``python -m tools.whole_volume_memory`` measures. What the network needs comes on top.
    """
    return _volumes(shape, shape[1] + 3 * classes + 3)


def attack_bytes(shape: Sequence[int], classes: int) -> int:
    """Estimated peak of attacking a whole volume (B, C, *spatial), without what the network needs, in bytes.

    10C + 9K volumes of float32, as the greediest attacks take.
    """
    return _volumes(shape, 10 * shape[1] + 9 * classes)


def _volumes(shape: Sequence[int], number: int) -> int:
    return shape[0] * math.prod(shape[2:]) * number * _FLOAT_BYTES


def home_of(shape: Sequence[int], needed: int, device: torch.device) -> torch.device:
    """Where a volume of this shape, which takes ``needed`` bytes, is put together: on a GPU that has room, or the CPU.

    Says so where it is the CPU in place of a GPU.
    """
    if device.type != "cuda" or needed <= VOLUME_SHARE * (free := available_bytes(device)):
        return device
    size = " × ".join(map(str, shape[2:]))
    logger.info(
        f"A volume of {size} voxels needs about {needed / GIB:.1f} GiB beside the network, and {free / GIB:.1f} GiB "
        f"are free on {device}: it is put together on the CPU, from windows that {device} predicts."
    )
    return torch.device("cpu")
