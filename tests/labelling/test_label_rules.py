"""All ten committed bundles keep the rules by which MONAI Label reads a bundle, without MONAI Label itself."""

import ast
import json
import shutil
import sys
from pathlib import Path

import monai.bundle
import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import UNET
from monai.bundle import ConfigParser
from monai.transforms import Compose, Invertd, LoadImaged, SaveImaged

import seat_components
from seat_components.data import write_phantom
from seat_components.tasks import all_tasks, load_task

BUNDLES = Path(__file__).parents[2] / "bundles"
TASKS = [task.name for task in all_tasks()]
# Kinds of model that MONAI Label reads off a bundle's name, and serves otherwise than a segmentation.
OTHER_KINDS = ("detection", "deepedit", "deepgrow", "classification")
# What its environment has, in the names under which it is imported.
IMPORTABLE = {
    "monai",
    "torch",
    "ignite",
    "nibabel",
    "pydicom",
    "itk",
    "numpy",
    "scipy",
    "tqdm",
    "psutil",
    "tensorboard",
    "fire",
    "filelock",
    "jinja2",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
}
# Only the report draws; planning, experiments and the commands are no part of training and inference.
ROOMS_OF_TRAINING = (
    *("attacks", "bundles", "data", "evaluation", "inference", "networks"),
    *("records", "running", "tasks", "training", "weights"),
)
# The literal parts that it looks up, or writes to, by path.
LITERAL = {
    "train.json": ["train#trainer", "train#dataset", "validate#dataset"],
    "inference.json": ["network_def", "preprocessing", "inferer", "postprocessing"],
}


@pytest.fixture(params=TASKS)
def task(request):
    return load_task(request.param)


def parsed(task, name):
    """The config as MONAI Label reads it: bundle_root set, the device a string."""
    parser = ConfigParser()
    parser.read_config(str(BUNDLES / task.bundle / "configs" / name))
    parser.config.update({"bundle_root": str(BUNDLES / task.bundle), "device": "cpu"})
    return parser


def metadata(task):
    return json.loads((BUNDLES / task.bundle / "configs" / "metadata.json").read_text())


def test_files_and_name(task):
    folder = BUNDLES / task.bundle
    assert not any(kind in task.bundle for kind in OTHER_KINDS)
    for name in ("inference.json", "train.json", "metadata.json", "multi_gpu_train.json", "logging.conf"):
        assert (folder / "configs" / name).is_file()
    others = {file.name for file in (folder / "models").glob("*.pt")} - {"model.pt"}
    assert all(len(name) > len("model.pt") for name in others), "the shortest name is the one that is served"


def test_metadata_name_the_tensors_and_count_the_classes(task):
    network = metadata(task)["network_data_format"]
    assert next(iter(network["inputs"])) == "image"
    assert next(iter(network["outputs"])) == "pred"
    labels = network["outputs"]["pred"]["channel_def"]
    assert [int(number) for number in labels] == list(range(len(task.labels)))
    names = [name.lower() for name in labels.values()]
    assert names == [name.lower() for name in task.labels]
    assert len(set(names)) == len(names), "MONAI Label lower-cases the names; they must stay apart"
    assert names[0] == "background"


@pytest.mark.parametrize("name", ["train.json", "inference.json"])
def test_looked_up_parts_are_literal(task, name):
    parser = parsed(task, name)
    for path in LITERAL[name]:
        assert isinstance(parser.get(path), dict), path
        assert "_target_" in parser.get(path), path


def test_training_has_the_ids_that_are_set_or_run(task):
    parser = parsed(task, "train.json")
    assert isinstance(parser.get("network_def"), dict)
    assert {"network", "run", "initialize"} <= parser.config.keys()
    handlers = parser.get("train#handlers")
    assert isinstance(handlers, list)
    assert all(isinstance(handler, dict) and "_target_" in handler for handler in handlers)
    assert parser.get("train#trainer#train_handlers") == "@train#handlers"
    assert parser.get("train#dataset#data") is not None
    assert parser.get("validate#dataset#data") is not None


def test_nothing_addresses_a_handler_by_its_place(task):
    """MONAI Label puts one in front, before overlays apply."""
    for file in (BUNDLES / task.bundle / "configs").glob("*.json"):
        assert "handlers#" not in file.read_text(), file.name


def test_learning_rate_follows_the_epochs_that_are_set(task):
    parser = parsed(task, "train.json")
    parser["train#trainer#max_epochs"] = 4
    parser["epochs"] = 10**6
    assert parser.get_parsed_content("lr_scheduler#epochs") == 4


def test_network_takes_dropout_and_is_random_with_it_in_training_mode_only(task):
    parser = parsed(task, "inference.json")
    parser["network_def"]["dropout"] = 0.2
    torch.manual_seed(0)
    network = parser.get_parsed_content("network_def")
    assert {part.p for part in network.modules() if isinstance(part, torch.nn.Dropout3d)} == {0.2}
    plain = parsed(task, "inference.json").get_parsed_content("network_def")
    assert plain.state_dict().keys() == network.state_dict().keys()
    multiples = [2 * network.multiples[0], *network.multiples[1:]]
    image = torch.randn(1, len(task.modalities), *multiples)
    with torch.no_grad():
        network.train()
        assert not torch.equal(network(image), network(image))
        network.eval()
        logits = network(image)
        assert isinstance(logits, torch.Tensor)
        assert torch.equal(logits, network(image))


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """``scans(task)``: a phantom scan of the task."""
    found = {}

    def scan(task):
        if task.name not in found:
            folder = tmp_path_factory.mktemp(task.bundle) / task.name
            write_phantom(task, folder, cases=(1, 1))
            found[task.name] = next((folder / "imagesTs").iterdir())
        return found[task.name]

    return scan


def test_preprocessing_ignores_extra_keys_and_the_masks_come_back_in_the_scans_grid(task, scans):
    """MONAI Label passes the whole request along, strings among it, and asks for uint8 or float32 masks."""
    parser = parsed(task, "inference.json")
    parser["val_patch_size"] = [16, 16, 16]
    file = scans(task)
    before = parser.get_parsed_content("preprocessing").transforms
    chain = parser.get_parsed_content("postprocessing").transforms
    after = [step for step in chain if not isinstance(step, SaveImaged)]
    assert [type(step) for step in before if isinstance(step, LoadImaged)] == [LoadImaged]
    request = {"image": str(file), "image_path": str(file), "model": task.bundle, "device": "cpu", "label_tag": "x"}
    data = Compose(before)(request)
    classes = len(task.labels)
    data["pred"] = torch.randn(classes, *data["image"].shape[1:])
    data["pred"][1] += 10
    probabilities = Compose([step for step in after if not isinstance(step, Invertd)])(dict(data))["pred"]
    assert torch.allclose(probabilities.sum(dim=0), torch.ones(()), atol=1e-5), "scoring reads probabilities"
    assert float(probabilities.min()) >= 0
    mask = Compose(after)(dict(data))["pred"]
    scan = nib.load(file)
    assert mask.shape == (1, *scan.shape[:3])
    assert mask.dtype == torch.uint8
    assert np.allclose(mask.affine, scan.affine)


def test_outputs_hang_off_the_bundle(task):
    parser = parsed(task, "train.json")
    root = str(BUNDLES / task.bundle)
    assert parser.get_parsed_content("ckpt_dir") == f"{root}/models"
    assert parser.get_parsed_content("output_dir") == f"{root}/eval"


def imports_of(file):
    """The modules that a module imports, wherever in its text."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_training_and_inference_import_only_what_the_server_has():
    allowed = IMPORTABLE | {"seat_components", "__future__"} | set(sys.stdlib_module_names)
    root = Path(seat_components.__file__).parent
    for room in ROOMS_OF_TRAINING:
        for file in (root / room).glob("*.py"):
            foreign = {name.split(".")[0] for name in imports_of(file)} - allowed
            assert not foreign, f"{file} imports {foreign}"


@pytest.fixture
def served(tmp_path):
    """A copy of the Task04 bundle with a small network, as it would lie in the server's app; and labelled scans."""
    bundle = tmp_path / "msd_task04_hippocampus"
    shutil.copytree(BUNDLES / bundle.name, bundle, ignore=shutil.ignore_patterns("*.pt"))
    for name in ("train.json", "inference.json"):
        file = bundle / "configs" / name
        content = {**json.loads(file.read_text()), "network_def": UNET}
        if name == "train.json":
            content.update(num_workers=0, batch_size=2)
        file.write_text(json.dumps(content))
    data = tmp_path / "data"
    write_phantom(load_task("Task04_Hippocampus"), data, cases=(2, 1))
    cases = [
        {"image": str(image), "label": str(data / "labelsTr" / image.name)}
        for image in sorted((data / "imagesTr").iterdir())
    ]
    return bundle, cases


def train(bundle, training, validation, epochs):
    """What MONAI Label's training task does."""
    config = json.loads((bundle / "configs" / "train.json").read_text())
    loader = {"_target_": "CheckpointLoader", "load_dict": {"model": "$@network"}, "strict": False}
    weights = bundle / "models" / "model.pt"
    front = [{**loader, "load_path": str(weights)}] if weights.exists() else []
    monai.bundle.run(
        run_id="run",
        init_id=None,
        final_id=None,
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=str(bundle / "configs" / "train.json"),
        **{
            "bundle_root": str(bundle),
            "train#trainer#max_epochs": epochs,
            "train#dataset#data": training,
            "validate#dataset#data": validation,
            "device": "cpu",
            "train#handlers": [*front, *config["train"]["handlers"]],
        },
    )


@pytest.mark.parametrize("count", [1, 2])
def test_weights_are_rewritten_also_without_a_validation_case(served, count):
    bundle, cases = served
    train(bundle, cases[:count], [], 1)
    first = (bundle / "models" / "model.pt").read_bytes()
    train(bundle, cases[:count], [], 1)
    assert (bundle / "models" / "model.pt").read_bytes() != first


def test_training_goes_on_from_the_served_weights_and_needs_no_dataset_folder(served):
    bundle, cases = served
    assert not Path(json.loads((bundle / "configs" / "train.json").read_text())["dataset_dir"]).exists()
    train(bundle, cases[:2], cases[2:], 1)
    weights = torch.load(bundle / "models" / "model.pt", weights_only=True)
    file = bundle / "configs" / "train.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "learning_rate": 0}))
    train(bundle, cases[:2], cases[2:], 1)
    again = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(weights[name], value) for name, value in again.items())


def test_a_job_too_short_for_an_adversarial_epoch_says_so(served, capfd):
    bundle, cases = served
    train(bundle, cases[:1], [], 3)
    assert "before SEAT's first adversarial epoch, which is 4: it trains clean" in "".join(capfd.readouterr())
    train(bundle, cases[:1], [], 4)
    assert "adversarial epoch" not in "".join(capfd.readouterr())
    rows = (bundle / "eval" / "training_history.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows[1:]] == ["1", "1", "1", "2"]
