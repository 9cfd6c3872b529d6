"""The training loader: every sample once per epoch, and no draw from the global random generator."""

from __future__ import annotations

import signal

import ignite.distributed as idist
import torch
from monai.data import DataLoader
from monai.data.utils import worker_init_fn

from seat_components.data.replay import EpochSampler, ReplayableDataset


def training_loader(
    dataset: ReplayableDataset,
    batch_size: int,
    num_workers: int = 0,
    seed: int = 0,
    shuffle: bool = True,
) -> DataLoader:
    """A loader over ``dataset`` for this rank; ``loader.sampler`` is its ``EpochSampler``.

    The last batch of an epoch may be smaller: no sample is dropped. The loader draws from a generator of its
    own, so building and reading it leaves torch's global random state alone.

    Args:
        dataset: the training cases.
        batch_size: samples per batch and rank.
        num_workers: worker processes, which live as long as the loader; 0 loads in this process.
        seed: of the order of the samples.
        shuffle: whether to draw a new order in each epoch.
    """
    sampler = EpochSampler(len(dataset), seed, shuffle, rank=idist.get_rank(), world_size=idist.get_world_size())
    return DataLoader(
        dataset,
        batch_size=batch_size,
        num_workers=num_workers,
        sampler=sampler,
        generator=torch.Generator().manual_seed(seed),
        persistent_workers=num_workers > 0,
        worker_init_fn=_start_worker,
    )


def _start_worker(number: int) -> None:
    """MONAI's start of a worker; and signals that reach the whole process group are for the training to decide on.

    Ctrl-C does, and SIGTERM as batch systems send it: a worker that died of it would end the training that is about to
    save its state.
    """
    worker_init_fn(number)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
