"""Bundles with a small network and small patches. All else is as it ships: a test here is to meet the defaults."""

import json

from bundle_runs import UNET

from seat_components.bundles.render import write_bundle
from seat_components.tasks import load_task

EPOCHS = 3


def small_bundle(task, folder):
    """The bundle of ``task``, rendered into ``folder``."""
    bundle = write_bundle(task, folder)
    make_small(bundle, len(load_task(task).labels))
    return bundle


def make_small(bundle, classes):
    """Let its configs say fewer epochs, a small network and small patches, and nothing else."""
    values = {
        "epochs": EPOCHS,
        "network_def": {**UNET, "out_channels": classes},
        "patch_size": [16, 16, 16],
        "val_patch_size": [16, 16, 16],
    }
    for name in ("train.json", "inference.json"):
        file = bundle / "configs" / name
        content = json.loads(file.read_text(encoding="utf-8"))
        assert {"network_def", "val_patch_size"} <= content.keys()
        file.write_text(json.dumps({**content, **{key: values[key] for key in values if key in content}}))
