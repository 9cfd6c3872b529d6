"""Random augmentation that can be replayed: a pure function of (seed, epoch, index)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler

from seat_components.data.cached import CachedDataset
from seat_components.refusals import refuse


class ReplayableDataset(CachedDataset):
    """A cached dataset whose sample ``epoch·len + index`` is always the same, whoever asks for it and when.

    Neither the number of workers nor the cache nor the order of the requests changes a sample, and a resumed
    run gets the very samples that an uninterrupted one would have got. ``EpochSampler`` yields such keys.

    Args:
        data: the cases.
        transform: deterministic transforms first (their result is cached), then random ones.
        cache_rate: share of the cases whose deterministic part is kept in memory, 0 to 1.
        num_workers: threads that fill the cache; None leaves the number to MONAI.
        seed: of all random transforms.
        progress: whether filling the cache shows a progress bar.
        cache_dir: folder where the deterministic part of every case is kept on disk; None for none.
    """

    def __init__(
        self,
        data: Sequence[Any],
        transform: Sequence[Callable[..., Any]] | Callable[..., Any] | None = None,
        cache_rate: float = 1.0,
        num_workers: int | None = 1,
        seed: int = 0,
        progress: bool = True,
        cache_dir: str | Path | None = None,
    ) -> None:
        super().__init__(data, transform, cache_rate, cache_dir, num_workers, progress)
        self.seed = seed

    def __getitem__(self, key: int | slice | Sequence[int]) -> Any:
        """The sample ``index`` as augmented in ``epoch``, where ``epoch, index = divmod(key, len(self))``.

        Slices and sequences give a ``Subset``, as in every MONAI dataset.
        """
        if isinstance(key, slice | Sequence):
            return super().__getitem__(key)
        epoch, index = divmod(key, len(self))
        state = np.random.SeedSequence([self.seed, max(epoch, 0), index]).generate_state(1)
        self.transform.set_random_state(int(state[0]))
        return super().__getitem__(index)


class EpochSampler(Sampler[int]):
    """Yields the keys ``epoch·len + index`` of a ``ReplayableDataset``, epoch after epoch.

    Each ``iter()`` serves the epoch at hand and moves on to the next. The order is a function of (seed, epoch).
    Several ranks share it out; their parts are of equal length, for which the first samples may come twice.

    Args:
        dataset_len: number of cases.
        seed: of the order.
        shuffle: whether to draw a new order in each epoch.
        rank, world_size: which part of how many.

    Raises:
        RefusalError: if there is no case.
    """

    def __init__(
        self, dataset_len: int, seed: int = 0, shuffle: bool = True, rank: int = 0, world_size: int = 1
    ) -> None:
        if dataset_len < 1:
            refuse("There is no case to train on: the list of training cases is empty.")
        self.dataset_len = dataset_len
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.first_sample = 0

    def set_position(self, epoch: int, first_sample: int = 0) -> None:
        """Let the next ``iter()`` serve ``epoch`` (counted from 0), without this rank's first samples.

        To go on in mid-epoch, ``first_sample`` is iterations already done × batch size.
        """
        self.epoch, self.first_sample = epoch, first_sample

    def __len__(self) -> int:
        """Samples of this rank in a whole epoch."""
        return math.ceil(self.dataset_len / self.world_size)

    def __iter__(self) -> Iterator[int]:
        """The keys of the epoch at hand."""
        keys = self._keys(self.epoch)[self.first_sample :]
        self.set_position(self.epoch + 1)
        return iter(keys)

    def _keys(self, epoch: int) -> list[int]:
        order = list(range(self.dataset_len))
        if self.shuffle:
            state = np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)
            generator = torch.Generator().manual_seed(int(state[0]) >> 1)
            order = torch.randperm(self.dataset_len, generator=generator).tolist()
        positions = range(self.rank, len(self) * self.world_size, self.world_size)
        return [epoch * self.dataset_len + order[position % self.dataset_len] for position in positions]
