"""Preprocessed cases kept in memory, on disk or both: found again by later runs, and never trusted when damaged."""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import monai
import torch
from monai.data import CacheDataset, ImageReader, MetaTensor
from monai.transforms import RandomizableTrait, Transform
from tqdm import tqdm

import seat_components
from seat_components.scan_files import channel_files
from seat_components.torch_file import read_torch_file, save_atomically

logger = logging.getLogger(__name__)

# What readers and transforms remember of their work, which is no setting of them.
_STATE = ("filenames", "_tracing")


class DiskCache:
    """A folder with one file per case and preprocessing.

    A file's name is a hash of the case's files (path, size, time of change), of the transforms with all their
    settings, and of the versions of MONAI and of this package: when one of them changes, another file is written.
    Files appear whole or not at all, hold a checksum of all that is in them, and are loaded with ``weights_only``; a
    file that is damaged all the same, or holds values that are not finite, is computed again. (MONAI's
    ``PersistentDataset`` writes across file systems, gives up on a truncated file, and takes its hash from transforms
    that remember what they read.)

    Kept of a volume are its voxels, its affine and the name of its file, but not the transforms applied to it: what
    comes from here cannot be inverted.

    Args:
        folder: where the files are; made where missing.
        transforms: what makes a case ready, in their order.
    """

    def __init__(self, folder: str | Path, transforms: Sequence[Callable[..., Any]]) -> None:
        self.folder = Path(folder)
        versions = [monai.__version__, seat_components.__version__]
        self.preprocessing = [versions, [_described(transform) for transform in transforms]]

    def get(self, case: Mapping[str, Any], compute: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The preprocessed ``case``: from its file, or else from ``compute()``, which is then written."""
        path = self.path(case)
        if path.is_file():
            try:
                return _unpacked(read_torch_file(path))
            # Of content that is not ours, anything may be missing or of another kind.
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                logger.warning(f"{path} is damaged ({type(error).__name__}: {error}) and is computed again.")
        packed = _packed(compute())
        save_atomically(packed, path)
        return _unpacked(packed)

    def path(self, case: Mapping[str, Any]) -> Path:
        """The file of ``case``."""
        key = [self.preprocessing, {name: _identity(value) for name, value in case.items()}]
        return self.folder / f"{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()}.pt"


def _identity(value: Any) -> Any:
    if not isinstance(value, str | Path):
        return str(value)
    files = [_file_identity(Path(file)) for file in channel_files(value)]
    return files if len(files) > 1 else files[0]


def _file_identity(file: Path) -> Any:
    if not file.is_file():
        return str(file)
    status = file.stat()
    return [str(file.resolve()), status.st_size, status.st_mtime_ns]


def _described(value: Any) -> Any:
    """``value`` in plain data; of objects the class and the settings."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _described(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_described(item) for item in value]
    if isinstance(value, torch.dtype | torch.device | Path):
        return str(value)
    if isinstance(value, type) or not isinstance(value, Transform | ImageReader):
        owner = value if hasattr(value, "__qualname__") else type(value)
        return f"{owner.__module__}.{owner.__qualname__}"
    settings = {name: item for name, item in vars(value).items() if name not in _STATE}
    return [f"{type(value).__module__}.{type(value).__qualname__}", _described(settings)]


def _packed(item: Mapping[str, Any]) -> dict[str, Any]:
    volumes = {key: torch.as_tensor(value).contiguous() for key, value in item.items()}
    content = {
        "volumes": {
            key: value.as_tensor() if isinstance(value, MetaTensor) else value for key, value in volumes.items()
        },
        "affines": {key: value.affine for key, value in item.items() if isinstance(value, MetaTensor)},
        "files": {key: str(value.meta.get("filename_or_obj")) for key, value in item.items() if hasattr(value, "meta")},
    }
    return {**content, "checksum": _checksum(content)}


def _unpacked(content: Mapping[str, Any]) -> dict[str, Any]:
    """The item that ``_packed`` took.

    Raises:
        ValueError: if anything is not what was written, or a value is not finite.
    """
    if _checksum(content) != content["checksum"]:
        raise ValueError("its checksum does not hold")
    result = {}
    for key, volume in content["volumes"].items():
        if not torch.isfinite(volume).all():
            raise ValueError(f"'{key}' has values that are not finite")
        known = key in content["affines"]
        meta = {"filename_or_obj": content["files"][key]} if known else None
        result[key] = MetaTensor(volume, affine=content["affines"][key], meta=meta) if known else volume
    return result


def _checksum(content: Mapping[str, Any]) -> int:
    """Of all tensors, with their names, types and shapes, and of the names of files."""
    total = zlib.crc32(json.dumps(content["files"], sort_keys=True).encode())
    for part in ("volumes", "affines"):
        for key, value in sorted(content[part].items()):
            total = zlib.crc32(f"{part} {key} {value.dtype} {tuple(value.shape)}".encode(), total)
            if value.numel():
                total = zlib.crc32(value.contiguous().numpy().data.cast("B"), total)
    return total


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

    def _fill_cache(self, indices: Iterable[int] | None = None) -> list[Any]:
        """As MONAI's, but where a case cannot be loaded, its threads end before the error goes on.

        One that is still at work when the interpreter ends may end it by SIGABRT, after what was to be said.
        """
        wanted = list(range(self.cache_num) if indices is None else indices)
        if not wanted:
            return []
        pool = ThreadPoolExecutor(self.num_workers)
        try:
            loaded = pool.map(self._load_cache_item, wanted)
            return list(tqdm(loaded, total=len(wanted), desc="Loading dataset", disable=not self.progress))
        finally:
            pool.shutdown(cancel_futures=True)

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
