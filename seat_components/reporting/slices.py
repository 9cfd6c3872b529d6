"""Example slices of attacked cases, slices/<case>.npz."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seat_components.refusals import refuse

_PICTURES = ("image", "label", "clean_prediction", "perturbation", "attacked_prediction")
_SCALARS = ("attack", "eps_255", "clean_dice", "attacked_dice")

Picture = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AttackedSlice:
    """One slice of one case before and after an attack; the five arrays have one shape (H, W).

    Attributes:
        perturbation: adversarial − clean image, in the image's intensity units.
        eps_255: the budget in 255ths of the image's range.
        budget: ε_b in the image's intensity units, NaN where not written.
        clean_dice: mean Dice of the whole case without attack, and ``attacked_dice`` with it.
    """

    case: str
    image: Picture
    label: Picture
    clean_prediction: Picture
    perturbation: Picture
    attacked_prediction: Picture
    attack: str
    eps_255: float
    clean_dice: float
    attacked_dice: float
    budget: float = math.nan

    @property
    def fall(self) -> float:
        """How much Dice the attack took; NaN counts as none."""
        return float(np.nan_to_num(self.clean_dice - self.attacked_dice))


def largest_falls(slices: Iterable[AttackedSlice], count: int = 3) -> list[AttackedSlice]:
    """The ``count`` slices whose cases lost the most Dice, the largest fall first, ties by name."""
    return sorted(slices, key=lambda one: (-one.fall, one.case))[:count]


def read_slices(folder: Path) -> list[AttackedSlice]:
    """Read every ``*.npz`` in ``folder``, sorted by name; none where there is no such folder.

    Raises:
        RefusalError: if a file is unreadable, lacks an array, or its arrays are not of one 2D shape.
    """
    return [_read_slice(path) for path in sorted(folder.glob("*.npz"))]


def _read_slice(path: Path) -> AttackedSlice:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        refuse(f"{path} is not readable as plain NumPy arrays ({error}): remove it, and run the attack again")
    missing = [name for name in (*_PICTURES, *_SCALARS) if name not in arrays]
    if missing:
        refuse(f"{path} lacks {', '.join(missing)}: it must hold {', '.join((*_PICTURES, *_SCALARS))}")
    pictures = {name: _picture(path, name, arrays[name]) for name in _PICTURES}
    shapes = {name: array.shape for name, array in pictures.items()}
    if len(set(shapes.values())) > 1:
        refuse(f"{path}: the arrays have the shapes {shapes}, but they must be one slice, all of one shape")
    return AttackedSlice(
        case=path.stem,
        attack=str(arrays["attack"]),
        eps_255=_scalar(path, "eps_255", arrays),
        clean_dice=_scalar(path, "clean_dice", arrays),
        attacked_dice=_scalar(path, "attacked_dice", arrays),
        budget=_scalar(path, "budget", arrays) if "budget" in arrays else math.nan,
        **pictures,
    )


def _picture(path: Path, name: str, array: npt.NDArray[np.generic]) -> Picture:
    if array.ndim != 2 or not array.size or array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        refuse(f"{path}: {name} is {array.dtype} of shape {array.shape}, but it must be a 2D slice of finite numbers")
    return array.astype(np.float64)


def _scalar(path: Path, name: str, arrays: dict[str, npt.NDArray[np.generic]]) -> float:
    try:
        return float(arrays[name].item())
    except (TypeError, ValueError):
        refuse(f"{path}: {name} is {arrays[name]!r}, but it must be one number")
