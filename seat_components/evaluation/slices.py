"""One slice per attacked case, for pictures: image, label, predictions and perturbation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from seat_components.evaluation.case import Attacked, Case
from seat_components.records.slices import AttackedSlice


def save_slice(folder: Path, case: Case, clean: Attacked, worst: Attacked, radius: Tensor) -> None:
    """Write the slice of the case's largest labelled area, of the image's first channel, as ``<case>.npz``.

    Args:
        folder: where it goes.
        case: the case.
        clean: the case without attack.
        worst: the case under its worst attack.
        radius: ε_b, (1, C, 1, 1, 1).
    """
    index = int(case.label[0, 0].ne(0).sum(dim=(0, 1)).argmax())

    def cut(volume: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
        return np.asarray(volume[0, 0, :, :, index].cpu().numpy())

    AttackedSlice(
        case=case.name,
        image=cut(case.image),
        label=cut(case.label).astype(np.uint8),
        clean_prediction=cut(clean.prediction).astype(np.uint8),
        perturbation=cut(worst.image - case.image),
        attacked_prediction=cut(worst.prediction).astype(np.uint8),
        attack=worst.attack,
        eps_255=float(worst.eps_255),
        budget=float(radius[0, 0].max()),
        clean_dice=clean.mean_dice,
        attacked_dice=worst.mean_dice,
    ).write(folder)
