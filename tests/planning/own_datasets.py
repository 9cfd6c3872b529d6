"""Small datasets in MSD layout that are none of the ten."""

import json

import nibabel as nib
import numpy as np


def write_case(folder, name, image, label, affine):
    """One image and its label, as NIfTI files."""
    for part, volume in (("imagesTr", image), ("labelsTr", label)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(volume, affine), folder / part / f"{name}.nii.gz")


def write_index(folder, names, modality=("CT",), labels=("background", "organ", "lesion"), **more):
    """The dataset.json of ``names``; ``more`` replaces whole sections."""
    content = {
        "name": "Belly",
        "licence": "CC0 1.0",
        "modality": {str(number): name for number, name in enumerate(modality)},
        "labels": {str(number): name for number, name in enumerate(labels)},
        "training": [
            {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in sorted(names)
        ],
        **more,
    }
    (folder / "dataset.json").write_text(
        json.dumps({key: value for key, value in content.items() if value is not None})
    )


def blob_case(random, shape=(30, 26, 20), channels=1, spacing=(1.0, 1.0, 2.0)):
    """Image, label and affine: an organ with a lesion inside and a speck of it elsewhere, brighter than the rest."""
    label = np.zeros(shape, dtype=np.uint8)
    x, y, z = (int(start) for start in random.integers(3, 6, size=3))
    label[x : x + 16, y : y + 12, z : z + 9] = 1
    label[x + 4 : x + 9, y + 3 : y + 7, z + 2 : z + 6] = 2
    label[-1, -1, -1] = 2
    image = random.normal(0, 20, size=(*shape, channels)) + 100.0 * label[..., None]
    image = image.round().astype(np.int16)
    return (image[..., 0] if channels == 1 else image), label, np.diag([*spacing, 1.0])


def blobs(folder, count=6, seed=0, **options):
    """A dataset of such cases; returns its folder."""
    random = np.random.default_rng(seed)
    channels = options.get("channels", 1)
    names = [f"belly_{number:02}" for number in range(count)]
    for name in names:
        shape = tuple(int(n) for n in np.add((30, 26, 20), random.integers(0, 5, size=3)))
        write_case(folder, name, *blob_case(random, shape, **options))
    write_index(folder, names, modality=("CT",) if channels == 1 else ("T2", "ADC")[:channels])
    return folder
