"""The training loader: every sample once per epoch, no draw from the global random generator, workers that end."""

from __future__ import annotations

import atexit
import signal
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ignite.distributed as idist
import torch
from monai.data import DataLoader

from seat_components.data.replay import EpochSampler, ReplayableDataset

_STOPS = (signal.SIGINT, signal.SIGTERM)


class SteadyLoader(DataLoader):
    """MONAI's ``DataLoader``, whose workers live and end with this process, whatever signals a group receives.

    Ctrl-C reaches every process of a terminal's group, and batch systems send SIGTERM to all of a job's: a worker that
    died of it would take a training along that is about to save its state. Workers are therefore started with both
    signals blocked, which leaves no moment in which one could reach them. As that is also how Python ends processes
    that are left when it exits, they are ended before: by ``close``, which the exit calls as well. Workers whose
    process was killed notice that within seconds, and end.
    """

    _iterator: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        atexit.register(_close, weakref.ref(self))

    def __iter__(self) -> Iterator[Any]:
        """The batches of an epoch; starts the workers where there are none yet."""
        with _blocked_stops():
            batches: Iterator[Any] = super().__iter__()
        return batches

    def close(self) -> None:
        """End the workers, if any; the next ``iter()`` starts new ones."""
        # PyTorch has no public way to end persistent workers before the loader is collected.
        batches, self._iterator = self._iterator, None
        if batches is None or self.num_workers == 0:
            return
        batches._shutdown_workers()
        for worker in batches._workers:
            worker.kill()


def training_loader(
    dataset: ReplayableDataset,
    batch_size: int,
    num_workers: int = 0,
    seed: int = 0,
    shuffle: bool = True,
) -> SteadyLoader:
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
    return SteadyLoader(
        dataset,
        batch_size=batch_size,
        num_workers=num_workers,
        sampler=sampler,
        generator=torch.Generator().manual_seed(seed),
        persistent_workers=num_workers > 0,
    )


@contextmanager
def _blocked_stops() -> Iterator[None]:
    """Processes that are started inside inherit that Ctrl-C and SIGTERM wait; here they only wait until the end."""
    if not hasattr(signal, "pthread_sigmask"):  # as on Windows, which signals no groups
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _close(reference: weakref.ref[SteadyLoader]) -> None:
    if (loader := reference()) is not None:
        loader.close()
