"""Running a rendered bundle: in this process, or as a person does on the command line."""

import json
import sys
from pathlib import Path

import pytest
import torch
import warm_start
from monai.bundle import ConfigWorkflow
from monai.networks.nets import UNet

from seat_components.refusals import RefusalError

# A stock MONAI network, small and without any of ROG's properties.
UNET = {
    "_target_": "UNet",
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "channels": [4, 8],
    "strides": [2],
    "num_res_units": 1,
    "norm": "instance",
}
SMALL = {
    "network_def": UNET,
    "patch_size": [16, 16, 16],
    "num_workers": 0,
    "batch_size": 3,
    "epochs": 4,
    "update_every": 1,
    "val_interval": 2,
}


def unet(network_def=UNET, **changes):
    """The network of such a definition, untrained, the same each time."""
    torch.manual_seed(0)
    return UNet(**{name: value for name, value in {**network_def, **changes}.items() if name != "_target_"})


def save_unet(file, network_def=UNET, **changes):
    """Save its weights; gives ``file``."""
    torch.save(unet(network_def, **changes).state_dict(), file)
    return file


def files(bundle, configs):
    return [str(Path(bundle) / "configs" / f"{name}.json") for name in configs]


def workflow(bundle, configs, **overrides):
    """A workflow of ``configs``, ready to run."""
    flow = ConfigWorkflow(
        config_file=files(bundle, configs), workflow_type="train", bundle_root=str(bundle), **overrides
    )
    flow.initialize()
    # What a training does before it trains: initialising alone needs neither data nor weights, so that MONAI can load
    # the network.
    steps = [str(step) for step in flow.parser.get("run")]
    for place in range(next((place for place, step in enumerate(steps) if "trainer.run()" in step), 0)):
        flow.parser.get_parsed_content(f"run#{place}")
    return flow


def command(bundle, configs, **overrides):
    """The words of ``python -m monai.bundle run``."""
    words = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files(bundle, configs))]
    words += ["--bundle_root", str(bundle)]
    for name, value in overrides.items():
        words += [f"--{name}", json.dumps(value) if isinstance(value, dict | list) else str(value)]
    return words


def run(bundle, configs, **overrides):
    """Run it to its end, as a process; the result's ``stdout`` holds both streams."""
    return warm_start.run(command(bundle, configs, **overrides))


def refusal(action, *arguments, **options):
    """The message with which ``action(…)`` refuses its input, under MONAI's errors about config expressions."""
    with pytest.raises((RuntimeError, RefusalError)) as caught:
        action(*arguments, **options)
    error = caught.value
    while error is not None and not isinstance(error, RefusalError):
        error = error.__cause__ or error.__context__
    assert error is not None, f"not a refusal: {caught.value!r}"
    return str(error)
