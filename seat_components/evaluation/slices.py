"""One slice per attacked case, for pictures: image, label, predictions and perturbation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from seat_components.files import write_atomically

if TYPE_CHECKING:
    from seat_components.evaluation.case import Attacked


def save_slices(path: Path, image: Tensor, label: Tensor, clean: Attacked, worst: Attacked, radius: Tensor) -> None:
    """Write the slice of the case's largest labelled area as an ``.npz`` of 2-D arrays (x, y).

    Args:
        path: the file.
        image: (1, C, X, Y, Z); the first channel is shown.
        label: (1, 1, X, Y, Z).
        clean: the case without attack.
        worst: the case under its worst attack.
        radius: ε_b, (1, C, 1, 1, 1).
    """
    index = int(label[0, 0].ne(0).sum(dim=(0, 1)).argmax())

    def cut(volume: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
        return np.asarray(volume[0, 0, :, :, index].cpu().numpy())

    arrays = {
        "image": cut(image),
        "label": cut(label).astype(np.uint8),
        "clean_prediction": cut(clean.prediction).astype(np.uint8),
        "perturbation": cut(worst.image - image),
        "attacked_prediction": cut(worst.prediction).astype(np.uint8),
        "attack": np.array(worst.attack),
        "eps_255": np.array(float(worst.eps_255)),
        "budget": np.array(float(radius[0, 0].max())),
        "clean_dice": np.array(float(clean.dice.mean())),
        "attacked_dice": np.array(float(worst.dice.mean())),
    }
    write_atomically(path, lambda stream: np.savez_compressed(stream, **arrays))  # type: ignore[arg-type]
