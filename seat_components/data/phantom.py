"""Phantom datasets: small MSD folders with learnable structures, for trying a bundle without real data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from seat_components.refusals import refuse
from seat_components.tasks import Task, fold_cases, load_task

_Field = NDArray[np.float64]

_ORGAN_RADIUS = (0.34, 0.44)  # half axes as shares of the volume's; the organ fills a few per cent, as real ones do
# Contrasts: a network sees intensities from about -2.75 to 2.75, so that ε = 8/255 of that range is 0.17.
_HALF_WINDOW = 2.75
_STEP = 0.9  # between neighbouring parts
_NOISE = 0.45  # of one voxel: parts are told apart by neighbourhoods, not by single voxels
_BIAS = 0.25


@dataclass(frozen=True)
class Anatomy:
    """One phantom.

    Attributes:
        label: (H, W, D) class of each voxel.
        contrast: (C, H, W, D) intensities around 0, nearly all within ±``_HALF_WINDOW``.
        air, bone: (H, W, D) masks of the darkest and the brightest voxels, which span the intensity range.
    """

    label: NDArray[np.uint8]
    contrast: _Field
    air: NDArray[np.bool_]
    bone: NDArray[np.bool_]


def draw_anatomy(shape: Sequence[int], classes: int, channels: int, random: np.random.Generator) -> Anatomy:
    """A random phantom of ``shape`` (H, W, D).

    The organ is a wobbly ellipsoid near the centre, parted along its long axis, one part for each of the
    ``classes`` − 1 labels. Each part differs from the body and from its neighbours in mean intensity by twice the
    noise of one voxel, so that a network must average over neighbourhoods to tell them apart; ε_b at 8/255 is
    about a fifth of that difference: the parts can be learned, and a network can be fooled about them.
    """
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    centre = random.uniform(-0.2, 0.2, size=(3, 1, 1, 1))
    radius = random.uniform(*_ORGAN_RADIUS, size=(3, 1, 1, 1)) * np.array([1.0, 1.4, 1.0]).reshape(3, 1, 1, 1)
    around = (grid - centre) / radius
    organ = np.linalg.norm(around, axis=0) + 0.12 * _smooth(shape, 4, random) < 1
    part = np.digitize(around[1] + 0.2 * _smooth(shape, 4, random), np.linspace(-1, 1, classes)[1:-1]) + 1
    label = np.where(organ, part, 0).astype(np.uint8)

    air = np.linalg.norm(grid, ord=4, axis=0) > 1.12
    bone = np.zeros(shape, dtype=bool)
    for _ in range(4):
        place = random.uniform(-0.8, 0.8, size=(3, 1, 1, 1))
        bone |= np.linalg.norm((grid - place) / random.uniform(0.06, 0.14), axis=0) < 1
    bone &= (label == 0) & ~air
    if not bone.any():
        bone[tuple(n // 2 for n in shape)] = True
    contrast = np.stack([_channel(label, classes, sign, random) for sign in (1, -1, 1, -1)[:channels]])
    return Anatomy(label, contrast, air, bone)


def _channel(label: NDArray[np.uint8], classes: int, sign: int, random: np.random.Generator) -> _Field:
    means = sign * _STEP * (np.arange(classes) - (classes - 1) / 2)
    texture = _BIAS * _smooth(label.shape, 10, random) + _NOISE * random.standard_normal(label.shape)
    structure: _Field = gaussian_filter(means[label], 0.6)
    return structure + texture


def _smooth(shape: Sequence[int], width: float, random: np.random.Generator) -> _Field:
    """A random field of unit variance without detail below ``width`` voxels."""
    field: _Field = gaussian_filter(random.standard_normal(tuple(shape)), width, mode="wrap")
    return field / np.std(field)


_LONGEST_AXIS = 64
_MARGIN = 4  # voxels that a phantom is, on average, wider than the patch
_WOBBLE = 4  # voxels by which the sizes of the cases differ from that, to either side
_TEST_SCANS = 2
_AIR_HU, _BONE_HU = -1000.0, 700.0


def phantom(task: str, out: str | Path, cases: tuple[int, int] = (12, 4), seed: int = 0) -> Path:
    """Write a phantom dataset for the task named ``task`` (dataset or bundle name) to the folder ``out``.

    Returns:
        the folder, usable as ``dataset_dir``.

    Raises:
        RefusalError: for an unknown task, more cases than the fold has, or an ``out`` that holds something already.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        refuse(f"{out} exists and is not an empty folder: nothing is overwritten. Name a new folder or empty this one.")
    write_phantom(load_task(task), out, cases, seed)
    return out


def write_phantom(task: Task, out: str | Path, cases: tuple[int, int] = (12, 4), seed: int = 0) -> None:
    """Write a small MSD folder: dataset.json, imagesTr, labelsTr, and imagesTs with two scans.

    The volumes have the task's channels, labels and spacing, and its intensity scale (Hounsfield units, or an
    arbitrary one for MRI) such that the published clipping window fits. The cases are named as in fold 0, so
    that fold lists apply. Files are the same to the byte for the same arguments.

    Args:
        task: whose data to imitate.
        out: the folder, made where missing.
        cases: numbers of training and of validation cases.
        seed: of all that is random.

    Raises:
        RefusalError: if fold 0 has fewer cases.
    """
    out = Path(out)
    names = _case_names(task, cases)
    for folder in ("imagesTr", "labelsTr", "imagesTs"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    prefix = names[0].rpartition("_")[0]
    scans = [f"{prefix}_phantom{number}" for number in range(1, _TEST_SCANS + 1)]
    for number, name in enumerate([*names, *scans]):
        image, label, affine = _volume(task, np.random.default_rng([seed, number]))
        _save(image, affine, out / ("imagesTs" if name in scans else "imagesTr") / f"{name}.nii.gz")
        if name not in scans:
            _save(label, affine, out / "labelsTr" / f"{name}.nii.gz")
    content = _dataset_json(task, names, scans)
    (out / "dataset.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _case_names(task: Task, cases: tuple[int, int]) -> list[str]:
    names: list[str] = []
    for listed, wanted, section in zip(fold_cases(task), cases, ("training", "validation"), strict=True):
        if not 1 <= wanted <= len(listed):
            refuse(f"{wanted} {section} cases were asked for, but fold 0 of {task.name} allows 1 to {len(listed)}.")
        names += listed[:wanted]
    return names


def _volume(
    task: Task, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float64]]:
    """Image (H, W, D) or (H, W, D, C), label (H, W, D) and affine of one case."""
    typical = np.minimum(np.array(task.sampling_patch) + _MARGIN, _LONGEST_AXIS)
    shape = tuple(int(n) for n in typical + random.integers(-_WOBBLE, _WOBBLE, size=3, endpoint=True))
    anatomy = draw_anatomy(shape, len(task.labels), len(task.modalities), random)
    channels = []
    for contrast, low, high in zip(anatomy.contrast, task.p0_5, task.p99_5, strict=True):
        dark, bright = (_AIR_HU, _BONE_HU) if task.is_ct else (0.0, 1.0)
        channel = (low + high) / 2 + (high - low) / 2 * contrast / _HALF_WINDOW
        channel[anatomy.air] = dark
        channel[anatomy.bone] = bright
        channels.append(np.clip(channel, dark, bright))
    image = np.stack(channels, axis=-1)
    if not task.is_ct:
        image *= random.uniform(300, 3000)  # scanners give MRI intensities no unit
    image = image[..., 0] if len(channels) == 1 else image
    return image.round(1 if task.is_ct else 3).astype(np.float32), anatomy.label, _affine(task, shape, random)


def _affine(task: Task, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
    """The task's spacing; in CT, as in clinics, it varies with the field of view, and x points to the left."""
    spacing = np.array(task.spacing)
    if task.is_ct:
        spacing = spacing * np.round([-1.0, 1.0, 1.0] * random.uniform(0.9, 1.1, size=1), 2)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = np.round(-0.5 * spacing * np.array(shape), 3)
    return affine


def _save(volume: NDArray[Any], affine: NDArray[np.float64], path: Path) -> None:
    image = nib.Nifti1Image(volume, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def _dataset_json(task: Task, names: list[str], scans: list[str]) -> dict[str, Any]:
    return {
        "name": task.name.partition("_")[2],
        "description": "Computer-made phantom volumes; no patient's data",
        "reference": "",
        "licence": "CC0 1.0",
        "release": "1.0",
        "tensorImageSize": "3D" if len(task.modalities) == 1 else "4D",
        "modality": {str(index): name for index, name in enumerate(task.modalities)},
        "labels": {str(index): name for index, name in enumerate(task.labels)},
        "numTraining": len(names),
        "numTest": len(scans),
        "training": [
            {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in sorted(names)
        ],
        "test": [f"./imagesTs/{name}.nii.gz" for name in scans],
    }
