"""Time, tensor memory and memory traffic of a piece of work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Work = Callable[[], object]


def seconds(work: Work, device: torch.device) -> float:
    """Duration of ``work``, in seconds."""
    synchronise(device)
    start = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def tensor_peak(work: Work, device: torch.device) -> int:
    """Bytes that ``work`` held at most in tensors beside those there were before, from PyTorch's own allocator."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        work()
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def operator_table(work: Work, device: torch.device, rows: int = 40) -> str:
    """The operators of ``work`` with calls and times, those that keep the device busy longest first."""
    cuda = device.type == "cuda"
    work()
    synchronise(device)
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]) as record:
        work()
        synchronise(device)
    order = "self_cuda_time_total" if cuda else "self_cpu_time_total"
    table: str = record.key_averages().table(sort_by=order, row_limit=rows, max_name_column_width=60)
    return table


def traffic(work: Work) -> int:
    """Bytes that the operators of ``work`` read and write: each operand once per operator, views not at all."""
    with _Traffic() as counter:
        work()
    total: int = counter.bytes
    return total


def bandwidth(device: torch.device, size: int = 2**28, repeats: int = 5) -> float:
    """Bytes per second that the device reads and writes when it copies a large tensor (``size`` bytes)."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.ones_like(source)
    return 2 * size / min(seconds(lambda: target.copy_(source), device) for _ in range(repeats))


class _Traffic(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        operands = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        read = {operand.untyped_storage()._cdata for operand in operands}
        results = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        # A result in an operand's memory is a view, or the operand itself, changed in place.
        fresh = [tensor for tensor in results if tensor.untyped_storage()._cdata not in read]
        if fresh or func._schema.is_mutable:
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in (*operands, *fresh))
        return result
