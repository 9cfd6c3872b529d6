"""Joining and leaving the processes of a run that ``torchrun`` started."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist

from seat_components.refusals import refuse


def join_processes(distributed: bool, device: torch.device | str) -> None:
    """Join the run's other processes: nccl where every process has a GPU, gloo otherwise.

    Does nothing in a run of one process.

    Args:
        distributed: whether the run has several processes.
        device: this process's device.

    Raises:
        RefusalError: if a config asks for several processes and ``torchrun`` did not start this one, or the reverse.
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
        on_gpu = torch.device(device).type == "cuda"
        if on_gpu:
            # Collectives take the current GPU, which would be the first one in every process.
            torch.cuda.set_device(device)
        if "SLURM_JOB_ID" in os.environ:
            # Inside a SLURM job Ignite asks SLURM which of a machine's processes this is; torchrun knows better.
            os.environ["SLURM_LOCALID"] = os.environ["LOCAL_RANK"]
        dist.init_process_group("nccl" if on_gpu else "gloo")


def leave_processes() -> None:
    """Leave the other processes, if any."""
    if dist.is_initialized():
        dist.destroy_process_group()
