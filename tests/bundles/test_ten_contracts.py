"""The ten committed bundles hold to MONAI's contract by MONAI's own checks, and differ only where their tasks do."""

import json
import math
import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from bundle_runs import files
from monai.bundle import ConfigWorkflow, ckpt_export, verify_metadata, verify_net_in_out

from seat_components.data import write_phantom
from seat_components.networks import ROG
from seat_components.tasks import all_tasks, fold_cases, load_task

BUNDLES = Path(__file__).parents[2] / "bundles"
SCHEMA = Path(__file__).parent / "data" / "meta_schema_20240725.json"
TASKS = [task.name for task in all_tasks()]
SECTIONS = [
    *("Overview", "Data", "Training", "Memory", "Input", "Output", "Cost"),
    *("Performance", "Commands", "MONAI Label", "Citation", "References", "License"),
]
# Ids whose values come from the task table; all else is the same in the ten bundles.
TABLE_IDS = {
    "train.json": {
        *("dataset_dir", "batch_size", "patch_size", "val_patch_size", "cache_rate"),
        *("channel_names", "label_names", "network_def", "cases", "train", "validate", "run"),
    },
    "evaluate.json": {"metrics_record", "validate#image_transforms"},
    "attack.json": {"attack"},
    "corrupt.json": {"corruption", "corruption_record"},
    "certify.json": {"smoothing", "certificate", "windows"},
    "inference.json": {
        *(
            "dataset_dir",
            "val_patch_size",
            "channel_names",
            "label_names",
            "network_def",
            "image_transforms",
            "dataset",
            "inferer",
        ),
    },
    "metadata.json": {
        *("name", "task", "description", "data_source", "image_classes", "label_classes", "pred_classes"),
        *("eval_metrics", "network_data_format"),
    },
}


@pytest.fixture(params=TASKS)
def task(request):
    return load_task(request.param)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """``phantoms(task)``: a folder with one training and one validation case; do not write to it."""

    @cache
    def folder(task):
        data = tmp_path_factory.mktemp(task.bundle) / task.name
        write_phantom(task, data, cases=(1, 1))
        return data

    return folder


def config(task, name):
    return json.loads((BUNDLES / task.bundle / "configs" / name).read_text())


def differences(one, other, path=""):
    """Paths of the leaves in which two configs differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {leaf for key in one for leaf in differences(one[key], other[key], f"{path}/{key}")}
    return set() if one == other else {path}


def test_metadata_passes_monais_check(task, tmp_path):
    schema = shutil.copy(SCHEMA, tmp_path)
    verify_metadata(meta_file=str(BUNDLES / task.bundle / "configs" / "metadata.json"), filepath=schema)


@pytest.mark.slow
def test_network_takes_and_gives_what_the_metadata_say(task):
    folder = BUNDLES / task.bundle
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(folder / "configs" / "metadata.json"),
        config_file=files(folder, ["inference"])[0],
        device="meta",
        bundle_root=str(folder),
    )


@pytest.mark.parametrize("kind", ["train", "evaluate", "inference"])
def test_workflows_have_the_properties_that_monai_asks_for(task, phantoms, tmp_path, kind):
    weights = tmp_path / "weights.pt"
    network = ROG(len(task.modalities), len(task.labels), task.strides)
    torch.save(network.state_dict(), weights)
    folders = {"dataset_dir": str(phantoms(task)), "output_dir": str(tmp_path / "eval")}
    own = {
        "train": {"ckpt_dir": str(tmp_path), "num_workers": 0},
        "evaluate": {"weights": str(weights), "num_workers": 0},
        "inference": {"weights": str(weights)},
    }[kind]
    flow = ConfigWorkflow(
        config_file=files(BUNDLES / task.bundle, ["train", "evaluate"] if kind == "evaluate" else [kind]),
        meta_file=str(BUNDLES / task.bundle / "configs" / "metadata.json"),
        workflow_type="inference" if kind == "inference" else "train",
        bundle_root=str(BUNDLES / task.bundle),
        **folders,
        **own,
    )
    flow.initialize()
    assert flow.check_properties() == []


@pytest.mark.slow
def test_network_exports_to_torchscript(task, tmp_path):
    torch.manual_seed(0)
    network = ROG(len(task.modalities), len(task.labels), task.strides).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    folder = BUNDLES / task.bundle
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(tmp_path / "weights.pt"),
        meta_file=str(folder / "configs" / "metadata.json"),
        config_file=files(folder, ["inference"])[0],
        bundle_root=str(folder),
    )
    # Norms over the two voxels that such a small patch leaves on the last level magnify rounding: hence float64.
    sizes = [max(4 * math.prod(stage[axis] for stage in task.strides), 8) for axis in range(3)]
    image = torch.randn(1, len(task.modalities), 2 * sizes[0], *sizes[1:], dtype=torch.float64)
    with torch.no_grad():
        exported = torch.jit.load(tmp_path / "model.ts").double()
        assert torch.allclose(exported(image), network.double()(image), atol=1e-6)


@pytest.mark.parametrize("name", TABLE_IDS)
def test_bundles_differ_only_in_values_of_the_table(name):
    first, *others = all_tasks()
    for other in others:
        changed = {path.split("/")[1] for path in differences(config(first, name), config(other, name))}
        assert changed <= TABLE_IDS[name]


def test_everything_else_is_the_same_to_the_byte():
    first, *others = all_tasks()
    own = {f"configs/{name}" for name in TABLE_IDS} | {"docs/README.md", "docs/data_license.txt"}
    common = [
        path.relative_to(BUNDLES / first.bundle)
        for path in (BUNDLES / first.bundle).rglob("*")
        if path.is_file() and path.suffix != ".pt"
    ]
    common = [path for path in common if str(path) not in own]
    assert len(common) >= 10
    for other in others:
        for path in common:
            assert (BUNDLES / other.bundle / path).read_bytes() == (BUNDLES / first.bundle / path).read_bytes()


def test_configs_hold_the_tables_values(task):
    train = config(task, "train.json")
    assert train["channel_names"] == {str(number): name for number, name in enumerate(task.modalities)}
    assert train["label_names"] == {str(number): name for number, name in enumerate(task.labels)}
    assert (train["patch_size"], train["val_patch_size"]) == (list(task.train_patch), list(task.val_patch))
    assert train["batch_size"] == task.batch_size
    assert np.add(train["patch_size"], train["train"]["sampling_margin"]).tolist() == list(task.sampling_patch)
    network = {"in_channels": len(task.modalities), "out_channels": len(task.labels), "strides": train_strides(task)}
    for content in (train, config(task, "inference.json")):
        assert {key: content["network_def"][key] for key in network} == network
    chains = [
        train["train"]["deterministic_transforms"],
        config(task, "inference.json")["image_transforms"],
        config(task, "evaluate.json")["validate#image_transforms"],
    ]
    for chain in chains:
        steps = {step["_target_"].rpartition(".")[2]: step for step in chain if step["keys"] != "label"}
        assert ("ScaleIntensityd" in steps) is not task.is_ct, "MRI is scaled to [0, 1], CT stays in HU"
        assert steps["SafeSpacingd"]["pixdim"] == list(task.spacing)
        clip, normalise = steps["ClipIntensityd"], steps["NormalizeIntensityd"]
        assert (clip["lower"], clip["upper"]) == (list(task.p0_5), list(task.p99_5))
        assert (normalise["subtrahend"], normalise["divisor"]) == (list(task.mean), list(task.std))


def train_strides(task):
    return [list(stage) for stage in task.strides]


def test_modalities_and_labels_of_the_brain_tumour_task():
    train = config(load_task("Task01_BrainTumour"), "train.json")
    assert [name.upper() for name in train["channel_names"].values()] == ["FLAIR", "T1W", "T1GD", "T2W"]
    labels = [name.split()[0] for name in train["label_names"].values()]
    assert labels == ["background", "edema", "non-enhancing", "enhancing"]


def test_cards_keep_the_zoos_order_and_name_every_config(task):
    card = (BUNDLES / task.bundle / "docs" / "README.md").read_text()
    assert re.findall(r"^## (.+)$", card, flags=re.MULTILINE) == SECTIONS
    for name in (
        *("train", "evaluate", "attack", "corrupt", "certify", "inference"),
        *("free", "multi_gpu_train", "resume", "finetune"),
    ):
        assert f"configs/{name}.json" in card
    shipped = (BUNDLES / task.bundle / "models" / "model.pt").exists()
    metadata = config(task, "metadata.json")
    for text in (card, metadata["task"], metadata["description"]):
        assert ("to be trained" in text) is not shipped
    assert re.sub(r"(?<=[a-z])(?=[A-Z])", " ", task.name.partition("_")[2]).lower() in metadata["task"].lower()
    assert ("](dice.svg)" in card) is (BUNDLES / task.bundle / "docs" / "dice.svg").exists() is shipped
    assert f"{len(fold_cases(task)[0])} training" in card


def test_cached_volumes_fit_into_the_stated_memory(task):
    """What the card states is the rate times the fold's volumes at their median size."""
    rate = config(task, "train.json")["cache_rate"]
    voxels = math.prod(task.median_size[:2]) * (300 if task.median_size[2] == 160 else task.median_size[2])
    cases = sum(map(len, fold_cases(task)))
    whole = cases * voxels * (4 * len(task.modalities) + 1) / 2**30
    assert rate * whole <= 4
    assert rate == 1 or (rate + 0.01) * whole > 4
