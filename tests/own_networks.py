"""Networks of other people in all their forms, and ``seat attack --model`` about them, in this process."""

import json
from pathlib import Path

import torch
from bundle_runs import UNET, unet

from seat_components.__main__ import main

CODE = """
from monai.networks.nets import UNet
import torch

def build():
    network = UNet(**{arguments})
    network.load_state_dict(torch.load("weights.pt"))
    return network

network = build().eval()

def predict(image):
    return network(image)

def several(image):
    return {{"features": image, "logits": network(image), "turned": network(image).flip(1)}}

def raising(image):
    return {{}}["nothing"]

def number():
    return 3

value = 3
"""
ARGUMENTS = {name: value for name, value in UNET.items() if name != "_target_"}
FORMS = ("net.ts", "frozen.ts", "own_code:build", "own_code:predict", "zoo_like")
SIZE = ["16", "16", "16"]


def write_forms(folder):
    """One network as TorchScript, as code and as a bundle that takes scans as they are; gives the folder."""
    network = unet().eval()
    torch.save(network.state_dict(), folder / "weights.pt")
    torch.jit.save(torch.jit.script(network), folder / "net.ts")
    torch.jit.save(torch.jit.freeze(torch.jit.script(network)), folder / "frozen.ts")
    code = CODE.format(arguments=ARGUMENTS)
    (folder / "own_code.py").write_text(code, encoding="utf-8")
    zoo_bundle(folder / "zoo_like", [])
    return folder


def zoo_bundle(folder, transforms, **changes):
    """A bundle as MONAI's model zoo has them, with the network's weights; its transforms after loading are given."""
    load = [{"_target_": "LoadImaged", "keys": "@image_key"}, {"_target_": "EnsureChannelFirstd", "keys": "@image_key"}]
    config = {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "image_key": "image",
        "dataset_dir": "/workspace/data",
        "datalist": "$list(sorted(glob.glob(os.path.join(@dataset_dir, 'imagesTs', '*.nii.gz'))))",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": UNET,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": [*load, *transforms]},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "overlap": 0.5},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [{"_target_": "Activationsd", "keys": "pred", "softmax": True}],
        },
        **changes,
    }
    names = {"0": "background", "1": "Anterior", "2": "Posterior"}
    about = {"inputs": {"image": {"spatial_shape": [16, 16, 16]}}, "outputs": {"pred": {"channel_def": names}}}
    for part in ("configs", "models"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text(json.dumps({"network_data_format": about}))
    torch.save(unet().state_dict(), folder / "models" / "model.pt")
    return folder


def attacked(model, out, *words):
    """The record that ``seat attack --model`` leaves, with a single budget."""
    assert main(["attack", "--model", str(model), "-o", str(out), *map(str, words), "--attack_eps_255", "16"]) == 0
    return json.loads((Path(out) / "robustness.json").read_text())


def results(record):
    """Case, attack and Dice, which say what was computed."""
    return {(row["case"], row["attack"], row["eps_255"]): row["dice"] for row in record["cases"]}
