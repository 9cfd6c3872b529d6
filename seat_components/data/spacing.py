"""Resampling to the task's voxel spacing by the published rule."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Spacing, SpatialResample
from monai.utils import TraceKeys, ensure_tuple_rep

from seat_components.data.geometry import spacing_fault
from seat_components.refusals import RefusalError

_CUBIC = 3
_KEEP = -1.0  # monai's Spacing leaves an axis alone where the wanted spacing is not positive


class SafeSpacingd(MapTransform, InvertibleTransform):
    """Resample volumes to a voxel spacing: cubic, but nearest along a coarse axis; labels nearest.

    An axis is coarse where its spacing, of the volume or else of the target, is more than ``anisotropy_limit``
    times the finest: a spline across thick slices would invent structure between them. Then the other two axes
    are resampled with the cubic spline and this one with the nearest slice. A volume that has the spacing already
    passes unchanged.

    ``Invertd`` gives back the exact shape and affine. A cubic step is undone linearly, so that probabilities stay
    in [0, 1] and keep their sum; a nearest one stays nearest.

    Unlike ``Spacingd`` of MONAI 1.6 it does not touch other entries whose name begins with a key's name
    (``image_path``, …), which need not be metadata.

    Args:
        keys: the entries to resample, MetaTensors of shape (C, H, W, D).
        pixdim: wanted spacing, in mm along the three spatial axes.
        mode: interpolation, or one per key: ``"nearest"`` for labels, 3 (cubic spline) for images.
        anisotropy_limit: the ratio above which an axis is coarse.
        allow_missing_keys: pass over keys that a sample lacks.

    Source: "Data, as published" for SEAT (MICCAI 2023); the rule is that of nnU-Net (Isensee et al., 2021).
    """

    def __init__(
        self,
        keys: KeysCollection,
        pixdim: Sequence[float],
        mode: int | str | Sequence[int | str] = _CUBIC,
        anisotropy_limit: float = 3.0,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        self.pixdim = tuple(float(size) for size in pixdim)
        self.mode = ensure_tuple_rep(mode, len(self.keys))
        self.anisotropy_limit = anisotropy_limit
        self.resample = SpatialResample(dtype=np.float32)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with the keys' volumes resampled, float32.

        Raises:
            RefusalError: if a volume's grid, or what it would be resampled to, is no scan's; see ``data/geometry.py``.
        """
        result = dict(data)
        shapes: dict[tuple[int, ...], list[int]] = {}
        for key, mode in self.key_iterator(result, self.mode):
            volume = result[key]
            before = tuple(volume.shape[1:])
            if fault := spacing_fault(before, volume.pixdim.tolist(), self.pixdim):
                raise RefusalError(f"{volume.meta.get('filename_or_obj', key)}: {fault}")
            # Image and label of one case may differ in the last digit of their headers, but not in the result's shape.
            result[key] = self._resampled(volume, mode, shapes.get(before))
            shapes[before] = list(result[key].shape[1:])
        return result

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with the keys' volumes back in the grid they came from."""
        result = dict(data)
        for key in self.key_iterator(result):
            for _ in range(2):
                info = self.resample.get_most_recent_transform(result[key])[TraceKeys.EXTRA_INFO]
                if info["mode"] == _CUBIC:
                    info.update(mode="bilinear", padding_mode="border")
                result[key] = self.resample.inverse(result[key])
        return result

    def _resampled(self, volume: MetaTensor, mode: int | str, shape: list[int] | None) -> MetaTensor:
        """Two steps, always, so that the inverse knows how many to undo; a step without work costs nothing."""
        coarse = self._coarse_axis(volume) if mode == _CUBIC else None
        in_plane = tuple(_KEEP if axis == coarse else size for axis, size in enumerate(self.pixdim))
        plane_shape = None
        if shape is not None:
            plane_shape = [volume.shape[1 + axis] if axis == coarse else size for axis, size in enumerate(shape)]
        volume = self._step(volume, in_plane, mode, plane_shape)
        return self._step(volume, self.pixdim, "nearest", shape)

    def _step(
        self, volume: MetaTensor, pixdim: Sequence[float], mode: int | str, shape: list[int] | None
    ) -> MetaTensor:
        step = Spacing(pixdim)
        step.sp_resample = self.resample
        padding = "nearest" if isinstance(mode, int) else "border"
        resampled: MetaTensor = step(volume, mode=mode, padding_mode=padding, output_spatial_shape=shape)
        return resampled

    def _coarse_axis(self, volume: MetaTensor) -> int | None:
        for spacing in (volume.pixdim.tolist(), self.pixdim):
            fine, middle, coarse = sorted(spacing)
            if coarse > self.anisotropy_limit * fine and middle < coarse:
                return int(np.argmax(spacing))
        return None
