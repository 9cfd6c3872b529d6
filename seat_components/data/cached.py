"""A cached dataset that keeps preprocessed cases in memory, on disk, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from monai.data import CacheDataset
from monai.transforms import RandomizableTrait, Transform

from seat_components.data.disk_cache import DiskCache


class CachedDataset(CacheDataset):
    """MONAI's ``CacheDataset``, with the deterministic part of every case on disk as well, if asked for.

    Args:
        data: the cases.
        transform: deterministic transforms first (their result is cached), then random ones.
        cache_rate: share of the cases whose deterministic part is kept in memory, 0 to 1.
        cache_dir: folder where the deterministic part of every case is kept, for later epochs and runs; None keeps
            nothing on disk. See ``DiskCache``; transforms cannot be inverted on what comes from there.
        num_workers: threads that fill the cache; None leaves the number to MONAI.
        progress: whether filling the cache shows a progress bar.
    """

    def __init__(
        self,
        data: Sequence[Any],
        transform: Sequence[Callable[..., Any]] | Callable[..., Any] | None = None,
        cache_rate: float = 1.0,
        cache_dir: str | Path | None = None,
        num_workers: int | None = 1,
        progress: bool = True,
    ) -> None:
        self.cache_dir = cache_dir
        self.disk: DiskCache | None = None
        super().__init__(data, transform, cache_rate=cache_rate, num_workers=num_workers, progress=progress)

    def set_data(self, data: Sequence[Any]) -> None:
        """Take other cases, and fill the memory's cache with them."""
        if self.cache_dir is not None:
            self.disk = DiskCache(self.cache_dir, self.transform.transforms[: self._first_random()])
        super().set_data(data)

    def _load_cache_item(self, idx: int) -> Any:
        compute = partial(super()._load_cache_item, idx)
        return compute() if self.disk is None else self.disk.get(self.data[idx], compute)

    def _transform(self, index: int) -> Any:
        if self.disk is None or index < self.cache_num:
            return super()._transform(index)
        return self.transform(self._load_cache_item(index), start=self._first_random())

    def _first_random(self) -> int:
        """Where the deterministic transforms end."""
        first: int | None = self.transform.get_index_of_first(
            lambda part: isinstance(part, RandomizableTrait) or not isinstance(part, Transform)
        )
        return len(self.transform.transforms) if first is None else first
