"""Bad input is refused by file or value and rule, before training; under monai.bundle run in the last lines."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from bundle_runs import SMALL, refusal, run, save_unet, workflow

from seat_components.records.history import FILE as HISTORY

TRAINING, VALIDATION = 0, -1


@pytest.fixture
def data(task04_phantom, tmp_path):
    """A copy of the phantom, to be spoilt."""
    return shutil.copytree(task04_phantom, tmp_path / "data")


def case(data, kind, which=TRAINING):
    """The file of a training or validation case; ``kind`` is image or label."""
    listed = sorted(data.glob(f"{kind}sTr/*.nii.gz"))
    names = [entry[kind].rpartition("/")[2] for entry in json.loads((data / "dataset.json").read_text())["training"]]
    assert len(names) == len(listed)
    return listed[which]


def edit(file, change):
    scan = nib.load(file)
    nib.save(nib.Nifti1Image(change(np.array(scan.dataobj)), scan.affine), file)


def with_voxel(value):
    def change(array):
        array = array.astype(np.float32)
        array[5, 6, 7] = value
        return array

    return change


def truncate(data):
    file = case(data, "image")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return file


def other_shape(data):
    edit(case(data, "label"), lambda array: array[:-1])
    return case(data, "label")


def label_7(data):
    edit(case(data, "label"), with_voxel(7))
    return case(data, "label")


def nan(data):
    edit(case(data, "image"), with_voxel(np.nan))
    return case(data, "image")


def constant(data):
    edit(case(data, "image"), np.zeros_like)
    return case(data, "image")


def bad_validation_label(data):
    edit(case(data, "label", VALIDATION), with_voxel(7))
    return case(data, "label", VALIDATION)


def missing(data):
    file = case(data, "image")
    file.unlink()
    return file


def empty(data):
    (data / "dataset.json").write_text(json.dumps({"training": [], "test": []}))
    return data / "dataset.json"


def no_index(data):
    (data / "dataset.json").unlink()
    return data / "dataset.json"


def broken_index(data):
    file = data / "dataset.json"
    file.write_text(file.read_text()[:-30])
    return file


def dots(data):
    content = json.loads((data / "dataset.json").read_text())
    shutil.copy(case(data, "image"), data.parent / "outside.nii.gz")
    content["training"][0]["image"] = "../outside.nii.gz"
    (data / "dataset.json").write_text(json.dumps(content))
    return data.parent / "outside.nii.gz"


def link(data):
    file = case(data, "image")
    outside = data.parent / "outside.nii.gz"
    file.rename(outside)
    file.symlink_to(outside)
    return outside


BAD_DATA = {
    "truncated file": (truncate, "cannot be read to the end"),
    "other shape": (other_shape, "but its image has"),
    "label 7": (label_7, "has label value(s) 7, but the task's are 0, 1, 2"),
    "NaN": (nan, "1 voxel(s) that are NaN or infinite"),
    "constant": (constant, "is constant"),
    "validation label 7": (bad_validation_label, "has label value(s) 7"),
    "missing image": (missing, "do not exist"),
    "nothing listed": (empty, "lists no case"),
    "no dataset.json": (no_index, "does not exist. dataset_dir must be the folder of an MSD task"),
    "half a dataset.json": (broken_index, "is not valid JSON"),
    "../": (dots, "outside the dataset"),
    "link": (link, "outside the dataset"),
}

# Values → words of the refusal, which names the option.
BAD_VALUES = {
    "budget": ({"eps_255": -1}, [], ["eps_255 is -1", "from 0 to 255"]),
    "budget of NaN": ({"eps_255": float("nan")}, [], ["eps_255 is nan"]),
    "step": ({"step_ratio": -0.5}, [], ["step_ratio", "-0.5"]),
    "time limit": ({"stop_after_minutes": -5}, [], ["stop_after_minutes is -5", "above 0"]),
    "fold": ({"fold": 3}, [], ["no fold 3", "only fold 0 is published"]),
    "task": ({"cases#task": "Task04_Hipocampus"}, [], ["'Task04_Hipocampus' is not one of", "'Task04_Hippocampus'"]),
    "q": ({"update_every": 0}, [], ["update_every (q) is 0", "1 or more"]),
    "relaxation": ({"relax": 0.5}, [], ["relax (φ) is 0.5"]),
    "g_max": ({"g_max": 1}, [], ["g_max is 1", "2 or more"]),
    "replays": ({"replays": 0}, ["free"], ["replays is 0", "1 or more"]),
    "batch": ({"batch_size": 0}, [], ["batch_size is 0", "at least 1"]),
    "epochs": ({"epochs": 0}, [], ["epochs is 0", "1 epoch or more"]),
    "seed": ({"seed": -1}, [], ["seed is -1", "0 to"]),
    "pieces": ({"accumulate": 9}, [], ["accumulate is 9", "1 to 3"]),
}

# Overlay → the option that names the weights.
WEIGHTS = {"evaluate": "weights", "attack": "weights", "inference": "weights", "finetune": "pretrained"}


def configs(overlay):
    return ["inference"] if overlay == "inference" else ["train", overlay]


def options(data, folder, **more):
    folders = {"dataset_dir": str(data), "ckpt_dir": str(folder), "output_dir": str(folder / "eval")}
    return {**SMALL, **folders, **more}


def start(bundle, names, data, folder, **more):
    """Initialise, and run what was not refused."""
    workflow(bundle, names, **options(data, folder, **more)).run()


def assert_not_trained(folder):
    assert not list(folder.rglob(HISTORY))
    assert not list(folder.rglob("model*.pt"))


@pytest.mark.parametrize("fault", BAD_DATA)
def test_bad_data_is_named_before_training(bundle, data, tmp_path, fault):
    spoil, rule = BAD_DATA[fault]
    file = spoil(data)
    message = refusal(start, bundle, ["train"], data, tmp_path / "run")
    assert str(file) in message
    assert rule in message
    assert_not_trained(tmp_path / "run")


@pytest.mark.parametrize("overlay", ["evaluate", "attack"])
def test_bad_validation_data_is_named_before_evaluation(bundle, data, tmp_path, overlay):
    file = bad_validation_label(data)
    weights = save_unet(tmp_path / "weights.pt")
    message = refusal(start, bundle, ["train", overlay], data, tmp_path / "run", weights=str(weights))
    assert str(file) in message
    assert "has label value(s) 7" in message


@pytest.mark.parametrize("value", BAD_VALUES)
def test_a_bad_value_is_named_before_training(bundle, task04_phantom, tmp_path, value):
    changed, overlays, words = BAD_VALUES[value]
    message = refusal(start, bundle, ["train", *overlays], task04_phantom, tmp_path, **changed)
    assert all(word in message for word in words), message
    assert_not_trained(tmp_path)


@pytest.mark.parametrize("eps_255", [-2, [2, -4], 0, [], 256])
def test_a_bad_attack_budget_is_named(bundle, task04_phantom, tmp_path, eps_255):
    weights = save_unet(tmp_path / "weights.pt")
    changed = {"weights": str(weights), "attack_eps_255": eps_255}
    message = refusal(start, bundle, ["train", "attack"], task04_phantom, tmp_path, **changed)
    assert f"attack_eps_255 is {eps_255!r}" in message


def test_an_unknown_protocol_is_named_with_the_known_ones(bundle, task04_phantom, tmp_path):
    weights = save_unet(tmp_path / "weights.pt")
    changed = {"weights": str(weights), "protocol": "fierce"}
    message = refusal(start, bundle, ["train", "attack"], task04_phantom, tmp_path, **changed)
    assert "'fierce' is not" in message
    assert "paper" in message


@pytest.mark.parametrize("overlay", WEIGHTS)
def test_missing_weights_are_named(bundle, task04_phantom, tmp_path, overlay):
    file = tmp_path / "nowhere" / "model.pt"
    message = refusal(start, bundle, configs(overlay), task04_phantom, tmp_path, **{WEIGHTS[overlay]: str(file)})
    assert str(file) in message
    assert_not_trained(tmp_path / "eval")


@pytest.mark.parametrize("overlay", WEIGHTS)
def test_weights_of_another_task_are_refused(bundle, task04_phantom, tmp_path, overlay):
    (tmp_path / "weights").mkdir()
    file = save_unet(tmp_path / "weights" / "four_classes.pt", out_channels=4)
    changed = {WEIGHTS[overlay]: str(file)}
    message = refusal(start, bundle, configs(overlay), task04_phantom, tmp_path / "run", **changed)
    assert str(file) in message
    assert "of another shape" in message
    assert_not_trained(tmp_path / "run")


def test_a_batch_that_cannot_fit_is_told_what_would(bundle, task04_phantom, tmp_path):
    changed = {"batch_size": 10**7, "accumulate": 1}
    message = refusal(start, bundle, ["train"], task04_phantom, tmp_path, **changed)
    fitting = int(message.partition("take --batch_size ")[2].partition(",")[0])
    assert 0 < fitting < 10**7
    assert_not_trained(tmp_path)


def test_volumes_smaller_than_the_patch_work(bundle, data, tmp_path):
    for kind in ("image", "label"):
        for file in data.glob(f"{kind}s*/*.nii.gz"):
            edit(file, lambda array: array[6:25, 10:40, 8:21])
    changed = {"epochs": 2, "val_interval": 1}
    start(bundle, ["train"], data, tmp_path, **changed)
    weights = {"weights": str(tmp_path / "model.pt")}
    start(bundle, ["train", "evaluate"], data, tmp_path, **weights)
    start(bundle, ["train", "attack"], data, tmp_path, attack_eps_255=[8], **weights)
    start(bundle, ["inference"], data, tmp_path, **weights)
    cases = json.loads((tmp_path / "eval" / "metrics.json").read_text())["cases"]
    assert len(cases) == 2
    attacked = json.loads((tmp_path / "eval" / "robustness.json").read_text())
    assert max(row["linf_over_budget"] for row in attacked["cases"]) == pytest.approx(1)
    for scan in (data / "imagesTs").iterdir():
        assert nib.load(tmp_path / "eval" / scan.name).shape == nib.load(scan).shape


# On the command line, one for each way in which a refusal comes about.
COMMANDS = {
    "data": (["train"], {}, truncate, "cannot be read to the end"),
    "handler": (["train"], {"update_every": 0}, None, "update_every (q) is 0"),
    "override": (["train"], {"epoch": 3}, None, "--epoch is not an id of this bundle. Did you mean --epochs?"),
    "weights": (["train", "evaluate"], {"weights": "nowhere.pt"}, None, "nowhere.pt"),
    "scans": (["inference"], {"dataset_dir": "nowhere"}, None, "nowhere is not a folder"),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", COMMANDS)
def test_on_the_command_line_the_refusal_is_the_last_line(bundle, data, tmp_path, way):
    names, changed, spoil, rule = COMMANDS[way]
    file = spoil(data) if spoil else None
    settings = options(data, tmp_path / "run", **changed)
    if names == ["inference"]:
        settings = {key: settings[key] for key in ("dataset_dir", "output_dir", "network_def")}
        settings["weights"] = save_unet(tmp_path / "weights.pt")
    result = run(bundle, names, **settings)
    assert result.returncode != 0
    lines = result.stdout.rstrip().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("ERROR: ")]
    assert starts, result.stdout
    message = "\n".join(lines[starts[-1] :])
    assert rule in message
    assert file is None or str(file) in message
    assert all(line.startswith("  ") for line in lines[starts[-1] + 1 :]), "nothing follows the message"
    assert "Traceback" not in result.stdout
    assert_not_trained(tmp_path / "run")
