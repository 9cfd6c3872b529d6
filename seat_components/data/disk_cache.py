"""Preprocessed cases on disk: found again by later epochs and later runs, and never trusted when damaged."""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import monai
import torch
from monai.data import ImageReader, MetaTensor
from monai.transforms import Transform
from torch import Tensor

import seat_components
from seat_components.training.files import save_atomically

logger = logging.getLogger(__name__)

# What readers and transforms remember of their work, which is no setting of them.
_STATE = ("filenames", "_tracing")


class DiskCache:
    """A folder with one file per case and preprocessing.

    A file's name is a hash of the case's files (path, size, time of change), of the transforms with all their
    settings, and of the versions of MONAI and of this package: when one of them changes, another file is written.
    Files appear whole or not at all, hold a checksum, and are loaded with ``weights_only``; a file that is damaged all
    the same is computed again. (MONAI's ``PersistentDataset`` writes across file systems, gives up on a truncated
    file, and takes its hash from transforms that remember what they read.)

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
                return _unpacked(torch.load(path, weights_only=True))
            except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, UnpicklingError) as error:
                logger.warning(f"{path} is damaged ({type(error).__name__}) and is computed again.")
        packed = _packed(compute())
        save_atomically(packed, path)
        return _unpacked(packed)

    def path(self, case: Mapping[str, Any]) -> Path:
        """The file of ``case``."""
        key = [self.preprocessing, {name: _file_identity(value) for name, value in case.items()}]
        return self.folder / f"{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()}.pt"


def _file_identity(value: Any) -> Any:
    if isinstance(value, str | Path) and Path(value).is_file():
        status = Path(value).stat()
        return [str(Path(value).resolve()), status.st_size, status.st_mtime_ns]
    return str(value)


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
    plain = {key: value.as_tensor() if isinstance(value, MetaTensor) else value for key, value in volumes.items()}
    return {
        "volumes": plain,
        "affines": {key: value.affine for key, value in item.items() if isinstance(value, MetaTensor)},
        "files": {key: str(value.meta.get("filename_or_obj")) for key, value in item.items() if hasattr(value, "meta")},
        "checksums": {key: _checksum(value) for key, value in plain.items()},
    }


def _unpacked(content: Mapping[str, Any]) -> dict[str, Any]:
    """The item that ``_packed`` took.

    Raises:
        ValueError: if a volume is not what was written.
    """
    result = {}
    for key, volume in content["volumes"].items():
        if _checksum(volume) != content["checksums"][key]:
            raise ValueError(f"the checksum of '{key}' does not hold")
        known = key in content["affines"]
        meta = {"filename_or_obj": content["files"][key]} if known else None
        result[key] = MetaTensor(volume, affine=content["affines"][key], meta=meta) if known else volume
    return result


def _checksum(volume: Tensor) -> int:
    return zlib.crc32(volume.numpy().data.cast("B")) if volume.numel() else 0
