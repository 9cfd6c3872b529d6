"""Example slices of attacked cases, slices/<case>.npz."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, PlainValidator, model_validator

from seat_components.files import write_atomically
from seat_components.records.model import Record, validated
from seat_components.refusals import refuse

SLICES = "slices"
_PICTURES = ("image", "label", "clean_prediction", "perturbation", "attacked_prediction")


def _picture(value: Any) -> npt.NDArray[Any]:
    array = np.asarray(value)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise ValueError(f"is {array.dtype} of shape {array.shape}, but it must be a 2D slice of finite numbers")
    return array


def _scalar(value: Any) -> float:
    try:
        return float(np.asarray(value).item())
    except (TypeError, ValueError):
        raise ValueError(f"is {value!r}, but it must be one number") from None


Picture = Annotated[npt.NDArray[Any], PlainValidator(_picture)]
Scalar = Annotated[float, PlainValidator(_scalar)]


class AttackedSlice(Record):
    """One slice of one case before and after an attack; the five arrays have one shape (H, W).

    Attributes:
        case: the case's name, which is the file's.
        perturbation: adversarial − clean image, in the image's intensity units.
        eps_255: the budget in 255ths of the image's range.
        budget: ε_b in the image's intensity units, NaN where not written.
        clean_dice: mean Dice of the whole case without attack, and ``attacked_dice`` with it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    case: str
    image: Picture
    label: Picture
    clean_prediction: Picture
    perturbation: Picture
    attacked_prediction: Picture
    attack: Annotated[str, PlainValidator(str)]
    eps_255: Scalar
    budget: Scalar = math.nan
    clean_dice: Scalar
    attacked_dice: Scalar

    @model_validator(mode="after")
    def _is_one_slice(self) -> AttackedSlice:
        shapes = {name: getattr(self, name).shape for name in _PICTURES}
        if len(set(shapes.values())) > 1:
            raise ValueError(f"the arrays have the shapes {shapes}, but they must be one slice, all of one shape")
        return self

    @property
    def fall(self) -> float:
        """How much Dice the attack took; NaN counts as none."""
        return float(np.nan_to_num(self.clean_dice - self.attacked_dice))

    def write(self, folder: Path) -> None:
        """Write ``<case>.npz`` in ``folder``."""
        arrays: dict[str, Any] = {name: np.array(value) for name, value in self.said().items() if name != "case"}
        write_atomically(file_of(folder, self.case), lambda stream: np.savez_compressed(stream, **arrays))


def file_of(folder: Path, case: str) -> Path:
    """Where a case's slice lies in ``folder``."""
    return folder / f"{case}.npz"


def largest_falls(slices: Iterable[AttackedSlice], count: int = 3) -> list[AttackedSlice]:
    """The ``count`` slices whose cases lost the most Dice, the largest fall first, ties by name."""
    return sorted(slices, key=lambda one: (-one.fall, one.case))[:count]


def typical_case(runs: Sequence[Sequence[AttackedSlice]]) -> str:
    """Of the cases that all ``runs`` have slices of, the one whose loss of Dice is the median; empty without one.

    Of several runs the losses add up; of an even number of cases, the lower median.
    """
    falls = [{one.case: one.fall for one in slices} for slices in runs]
    common = sorted(set.intersection(*map(set, falls))) if falls else []
    by_loss = sorted(common, key=lambda case: sum(one[case] for one in falls))
    return by_loss[(len(by_loss) - 1) // 2] if by_loss else ""


def read_slices(folder: Path) -> list[AttackedSlice]:
    """Read every ``*.npz`` in ``folder``, sorted by name, pictures in float64; none where there is no such folder.

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
    read = validated(AttackedSlice, {**arrays, "case": path.stem}, str(path))
    return read.model_copy(update={name: getattr(read, name).astype(np.float64) for name in _PICTURES})
