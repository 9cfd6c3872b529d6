"""Small random volumes that the tests of this room share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from seat_components.data import check_cases
from seat_components.refusals import RefusalError


def affine_of(codes: str, spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """An affine whose voxel axes point to ``codes`` (such as PIR), with an offset."""
    orientation = nib.orientations.axcodes2ornt(tuple(codes))
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(orientation):
        affine[int(world), axis] = sign * spacing[axis]
    affine[:3, 3] = [7.0, -11.0, 13.0]
    return affine


def volume(
    shape: tuple[int, ...] = (1, 10, 12, 8),
    codes: str = "RAS",
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    seed: int = 0,
) -> MetaTensor:
    """A smooth-less random image (C, H, W, D) in [0, 1)."""
    generator = torch.Generator().manual_seed(seed)
    return MetaTensor(torch.rand(shape, generator=generator), affine=torch.as_tensor(affine_of(codes, spacing)))


def save(array: NDArray[Any], path: Path, affine: NDArray[np.float64] | None = None) -> str:
    """Write ``array`` as NIfTI and hand back the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return str(path)


def check(image: str | Path, **options: Any) -> None:
    """Check one image, without a label."""
    check_cases([{"image": str(image)}], (), 1, progress=False, **options)


def refusal(image: str | Path, **options: Any) -> str:
    """Why ``check`` refuses the image; the message names it."""
    with pytest.raises(RefusalError) as caught:
        check(image, **options)
    assert str(image) in str(caught.value)
    return str(caught.value)
