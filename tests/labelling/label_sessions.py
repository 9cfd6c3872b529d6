"""What the tests of MONAI Label's server share: an app with small patches, images, and a look at the log."""

import json
import math
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np

from seat_components.data import write_phantom
from seat_components.labelling.app import make_app
from seat_components.labelling.environment import sample_app

BUNDLES = Path(__file__).parents[2] / "bundles"


def smallest_patch(task):
    """The smallest patch that ROG takes with this task's strides."""
    sizes = [max(4 * math.prod(stage[axis] for stage in task.strides), 8) for axis in range(3)]
    return [sizes[0] * 2, *sizes[1:]]


def window(task):
    """A window that takes a phantom in few steps."""
    return [max(64, size) for size in smallest_patch(task)]


def small_app(python, folder, tasks):
    """An app with the tasks' bundles, untrained where no weights are shipped, at sizes for two CPU cores."""
    names = []
    for task in tasks:
        # Shipped weights keep the window that they were trained for.
        trained = (BUNDLES / task.bundle / "models" / "model.pt").is_file()
        sizes = {} if trained else {"val_patch_size": window(task), "patch_size": smallest_patch(task)}
        overrides = {**sizes, "batch_size": 1, "num_workers": 0}
        names += make_app(sample_app(python), folder, [BUNDLES / task.bundle], init=True, overrides=overrides)
    return names


def phantom_cases(task, folder, count):
    """Images and labels of phantoms, ``(image, label)`` each."""
    write_phantom(task, folder, cases=(count, 1))
    images = sorted((folder / "imagesTr").iterdir())[:count]
    return [(image, folder / "labelsTr" / image.name) for image in images]


def real_cases(folder, count):
    """The first cases of a real MSD folder, ``(image, label)`` each."""
    entries = sorted(entry["image"] for entry in json.loads((folder / "dataset.json").read_text())["training"])
    images = [folder / entry for entry in entries if (folder / entry).is_file()][:count]
    return [(image, folder / "labelsTr" / image.name) for image in images]


def studies_of(cases, folder):
    """A folder with the images of ``cases``."""
    folder.mkdir()
    for image, _ in cases:
        shutil.copy(image, folder)
    return folder


def image_id(image):
    return image.name.removesuffix(".nii.gz")


def read_mask(content, folder):
    """The mask in the answer to an inference."""
    file = folder / "answer.nii.gz"
    file.write_bytes(content)
    mask = nib.load(file)
    return mask, np.asarray(mask.dataobj)


def dice(mask, truth, classes):
    """Mean Dice of the foreground classes."""
    values = [
        2 * ((mask == label) & (truth == label)).sum() / max((mask == label).sum() + (truth == label).sum(), 1)
        for label in range(1, classes)
    ]
    return float(np.mean(values))


def require_clean_log(server):
    """The lines that MONAI Label only logs, but that mean wrong results."""
    text = server.log.read_text(errors="replace")
    for line in ("Checkpoint keys don't match", "Traceback", "Failed to"):
        assert line not in text, text[max(text.find(line) - 2000, 0) : text.find(line) + 2000]
