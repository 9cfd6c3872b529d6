"""Joining and leaving the processes of a run that ``torchrun`` started."""

from __future__ import annotations

import os
from datetime import timedelta

import torch
import torch.distributed as dist

from seat_components.refusals import refuse

PATIENCE = timedelta(hours=1)
"""How long a process waits for another, as shares of a validation and of filling caches are never quite equal.

It bounds a hang only: where a process ends, torchrun ends the others at once.
"""


def join_processes(distributed: bool, device: torch.device | str) -> None:
    """Join the run's other processes: nccl where every process has a GPU, gloo otherwise.

    Does nothing in a run of one process.

    Args:
        distributed: whether the run has several processes.
        device: this process's device.

    Raises:
        RefusalError: if a config asks for several processes and ``torchrun`` did not start this one, or the reverse;
            if they would share a GPU.
    """
    started = "LOCAL_RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1
    if distributed and "LOCAL_RANK" not in os.environ:
        refuse("multi_gpu_train.json runs under torchrun: torchrun --nproc_per_node=2 -m monai.bundle run …")
    if started and not distributed:
        refuse(
            "torchrun started several processes, but this run has one. A training takes several with "
            "configs/multi_gpu_train.json."
        )
    if distributed and not dist.is_initialized():
        own = torch.device(device)
        on_gpu = own.type == "cuda"
        if on_gpu and own.index is None:
            refuse(f"device is {device}, but each process needs a GPU of its own: leave --device out, or take cpu.")
        if on_gpu:
            # Collectives take the current GPU, which would be the first one in every process.
            torch.cuda.set_device(own)
        if "SLURM_JOB_ID" in os.environ:
            # Inside a SLURM job Ignite asks SLURM which of a machine's processes this is; torchrun knows better.
            os.environ["SLURM_LOCALID"] = os.environ["LOCAL_RANK"]
        # With its device stated, nccl connects here, where a fault has a name, and not at the first exchange.
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE, device_id=own if on_gpu else None)


def leave_processes() -> None:
    """Leave the other processes, if any."""
    if dist.is_initialized():
        dist.destroy_process_group()
