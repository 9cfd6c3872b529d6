"""Estimate what each task's training needs of a GPU, memory and time: ``python -m tools.gpu_needs``, on any machine.

Nothing is computed: the meta device gives shapes, from which the package's own estimate of a step follows, and the
bytes that the operators of a step read and write. Time is these bytes at half of a GPU's memory bandwidth, which is
what normalisations and depthwise convolutions wait for; it has not been measured on any GPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import nullcontext

import torch
from monai.losses import DiceCELoss
from torch import nn

from seat_components.files import GIB
from seat_components.networks import ROG
from seat_components.tasks import Task, all_tasks, fold_cases, load_task
from seat_components.training.autocast_rules import AutocastRules
from seat_components.training.memory import USABLE_SHARE, step_bytes
from tools.measure import traffic
from tools.stock_rog import StockROG

# Memory in GB and bandwidth in GB/s, as their makers state them.
GPUS = {"T4": (16, 320), "RTX 3090": (24, 936), "A100": (80, 2039)}
BANDWIDTH_SHARE = 0.5


def network_of(task: Task) -> ROG:
    """The task's network, without content, in the form that runs on a GPU."""
    with torch.device("meta"):
        return ROG(len(task.modalities), len(task.labels), task.strides, operators="stock")


def step_traffic(task: Task, amp: bool) -> int:
    """Bytes that one backpropagation of one patch reads and writes, with the operators that PyTorch has."""
    network = network_of(task)
    stock: nn.Module = StockROG(network, task.strides)
    image = torch.zeros((1, len(task.modalities), *task.train_patch), device="meta", requires_grad=True)
    label = torch.zeros((1, 1, *task.train_patch), device="meta", dtype=torch.int64)
    loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=False)

    def step() -> None:
        with AutocastRules() if amp else nullcontext():
            logits = stock(image)
        loss(logits.float(), label).backward()

    return traffic(step)


def row_of(task: Task, amp: bool, replays: int) -> list[str]:
    """One line of the table."""
    network = network_of(task)
    fixed, sample = step_bytes(network, (len(task.modalities), *task.train_patch), amp)
    cells = [task.name, str(task.batch_size), f"{(fixed + task.batch_size * sample) / GIB:.1f}", f"{sample / GIB:.2f}"]
    seconds = len(fold_cases(task)[0]) * replays * step_traffic(task, amp) / BANDWIDTH_SHARE
    for gigabytes, bandwidth in GPUS.values():
        at_once = int((gigabytes * 1e9 * USABLE_SHARE - fixed) // sample)
        pieces = -(-task.batch_size // at_once) if at_once > 0 else 0
        cells += [f"{pieces or 'none'}", f"{seconds / bandwidth / 1e9:.0f}"]
    return cells


def lines(tasks: Iterable[Task], amp: bool, replays: int) -> Iterator[str]:
    """The table's lines, in Markdown."""
    head = ["task", "batch", "whole batch, GiB", "one more patch, GiB"]
    head += [cell for name, (size, _) in GPUS.items() for cell in (f"pieces on {name} ({size} GB)", "s per epoch")]
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for task in tasks:
        yield f"| {' | '.join(row_of(task, amp, replays))} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.gpu_needs", description=__doc__)
    parser.add_argument("--tasks", nargs="+", help="names, such as Task04_Hippocampus; all ten by default")
    parser.add_argument("--float32", action="store_true", help="without amp")
    parser.add_argument("--replays", type=int, default=5, help="backpropagations per batch, g")
    options = parser.parse_args()
    chosen = [load_task(name) for name in options.tasks] if options.tasks else all_tasks()
    for line in lines(chosen, not options.float32, options.replays):
        print(line, flush=True)
