"""The config read before MONAI builds it: every id has its rule, and an odd value is refused in words or used."""

import json
import sys

import pytest
from bundle_runs import UNET, command, files, run
from monai.bundle import ConfigParser

from seat_components.running.command_line import given
from seat_components.running.config_check import config_faults, config_of, given_faults, network_faults
from seat_components.running.ending import what_failed
from seat_components.running.kinds import is_expression
from seat_components.running.options import OPTIONS, PARTS, VALUES
from seat_components.running.values import value_faults


def config_names(bundle):
    return sorted(file.stem for file in (bundle / "configs").glob("*.json") if file.stem != "metadata")


def test_every_id_of_every_config_has_its_rule(bundle):
    for name in config_names(bundle):
        content = ConfigParser.load_config_file(*files(bundle, [name]))
        ids = {key.lstrip("+").replace("::", "#").split("#")[0] for key in content}
        assert ids <= OPTIONS.keys(), name
    assert not VALUES.keys() & PARTS.keys()


def combinations(bundle):
    rest = set(config_names(bundle)) - {"train", "inference"}
    return [["train"], ["inference"], *(["train", name] for name in sorted(rest))]


def test_every_config_as_it_is_passes(bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(bundle)
    for names in combinations(bundle):
        config = config_of(files(bundle, names), {"bundle_root": str(bundle)})
        assert config_faults(config) + network_faults(config) == [], names


ODD = {
    "null": None,
    "true": True,
    "nothing": "",
    "word": "abc",
    "space": " ",
    "NaN": float("nan"),
    "infinity": float("inf"),
    "negative": -1,
    "zero": 0,
    "half": 0.5,
    "huge": 10**400,
    "large": 10**12,
    "list": [],
    "long list": [1, 2, 3, 4],
    "lists in a list": [[[1]]],
    "list of words": ["a", "b", "c"],
    "object": {},
    "object of none": {"a": None},
    "no class": {"_target_": "NoSuchThing"},
    "no text for a class": {"_target_": 3},
    "without arguments": {"_target_": "UNet"},
    "other arguments": {"_target_": "torch.optim.SGD", "rate": 3},
    "unicode": "Größe 中 \u200f",
    "control": "a\nb\x1b",
    "half a character": "\udcff",
    "zero byte": "a\0b",
    "dollar": "$",
    "syntax": "$1 +",
    "division": "$1 / 0",
    "unknown name": "$nowhere",
    "unknown id": "@nowhere",
    "itself": "@epochs",
    "home": "~/data",
    "long name": "x" * 300,
    "missing": "/nowhere/at/all",
    "file": __file__,
    "below a file": f"{__file__}/below",
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_value_of_any_id_is_accepted_or_refused_in_words(bundle, odd, monkeypatch):
    monkeypatch.chdir(bundle)
    value = ODD[odd]
    for name in OPTIONS:
        assert all(fault.startswith(f"{name} is ") for fault in value_faults({name: value}))
    if value is None:
        return
    configs = files(bundle, ["train", "attack"])
    for name in VALUES if is_expression(value) else PARTS:
        if name in ConfigParser.load_config_files(configs):
            faults = config_faults(config_of(configs, {name: value}))
            assert all(isinstance(fault, str) and fault for fault in faults)


@pytest.mark.parametrize("name", ["dataset_dir", "output_dir", "ckpt_dir", "weights", "bundle_root"])
@pytest.mark.parametrize("path", ["study #3", "study ::3"])
def test_a_path_that_monai_would_change_is_refused(name, path, tmp_path):
    """In every text of a config it makes :: of #: results went to a folder of another name."""
    (fault,) = value_faults({name: str(tmp_path / path)})
    assert "without #, of which MONAI makes ::" in fault


def test_a_link_in_a_circle_is_no_folder(tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for path in (tmp_path / "circle", tmp_path / "circle" / "below"):
        assert value_faults({"output_dir": str(path)})
        assert value_faults({"cache_dir": str(path)})


@pytest.fixture
def refused(bundle, monkeypatch):
    """``refused(*words)``: how the words after those of the configs are refused; None where they pass."""
    monkeypatch.chdir(bundle)

    def check(*words, configs=("train",)):
        words = ["--config_file", str([f"configs/{name}.json" for name in configs]), *words]
        monkeypatch.setattr(sys, "argv", ["/anywhere/monai/bundle/__main__.py", "run", *words])
        return "\n".join(given_faults(given())) or None

    return check


def test_a_run_has_one_method(refused):
    """Of two, the second's schedule stood beside the first's update: clean training under the name of FREE."""
    assert "clean and free are methods of training, of which a run has one" in refused(
        configs=["train", "clean", "free"]
    )
    assert refused(configs=["train", "free", "augment", "resume"]) is None


@pytest.mark.parametrize("nothing", ["None", "null"])
def test_nothing_is_written_so_that_it_reaches_the_config(refused, nothing):
    """None was dropped, so that gamma stayed in, and null made a folder of that name."""
    for words, configs in ((["--gamma_sigma"], ["train", "certify"]), (["--cache_dir"], ["train"])):
        name = words[0].removeprefix("--")
        assert f"write --{name} '$None'" in refused(*words, nothing, configs=configs)
        assert refused(*words, "$None", configs=configs) is None


REFUSED = {
    "kind": (["--epochs", "abc"], "epochs is 'abc', but it must be a whole number, 1 to"),
    "text": (["--eps_255", "eight"], "eps_255 is 'eight', but it must be a number"),
    "too few": (["--epochs", "0"], "epochs is 0, but it must be a whole number, 1 to 1000000"),
    "negative": (["--learning_rate", "-1"], "learning_rate is -1, but it must be a finite number, 0 or more"),
    "interval": (["-val_interval", "0"], "val_interval is 0, but it must be a whole number, 1 or more"),
    "folder": (["--output_dir", f"{__file__}/out"], "but it must be a folder that can be made"),
    "two": (["--seed=1.5", "--memory=huge"], "memory is 'huge', but it must be one of default, recompute"),
    "no value": (["--epochs", "--fold", "0"], "epochs is True"),
    "expression": (["--epochs=$1/0"], "epochs is '$1/0', which cannot be computed: ZeroDivisionError"),
    "reference": (["--fold", "@nowhere"], "fold is '@nowhere', which cannot be computed: there is no id @nowhere"),
    "itself": (["--seed", "@seed"], "seed is '@seed', which cannot be computed"),
    "what follows from it": (["--patch_size", "16"], "patch_size is 16, but it must be three whole numbers"),
    "no component": (["--loss", "5"], "loss is 5, but it must be a component"),
    "no component within": (["--validate#inferer", "9"], "validate#inferer is 9, but it must be a component"),
    "no list within": (["--train::handlers", "9"], "train::handlers is 9, but it must be a list"),
    "no transforms": (["--validate#preprocessing#transforms", "0"], "validate#preprocessing#transforms is 0"),
    "ends the program": (["--seed", "$exit()"], "seed is '$exit()', which cannot be computed"),
    "network that ends it": (["--network_def", "$exit(0)"], "network_def cannot be built"),
    "unknown class": (["--optimizer", '{"_target_":"Adamm"}'], "there is no class or function 'Adamm'"),
    "missing argument": (["--network_def", '{"_target_":"UNet"}'], "UNet: missing a required argument: 'spatial_dims'"),
    "further argument": (["--loss", '{"_target_":"DiceLoss","clss":2}'], "unexpected keyword argument 'clss'"),
    "of a network": (
        ["--network_def", json.dumps({**UNET, "channels": [4], "strides": []}).replace("true", "True")],
        "network_def cannot be built: ValueError: the length of `channels`",
    ),
    "no network": (["--network_def", '{"_target_":"monai.losses.DiceLoss"}'], None),
    "function": (["--network_def", "$3"], "network_def gives int, but it must be a network"),
    "word alone": (["training"], "'training' is no id of these configs"),
    "two values": (["--epochs", "3", "4"], "4 is no id of these configs"),
    "run_id": (["--run_id", "runn"], "'runn' is no id"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_on_the_command_line(refused, fault):
    words, message = REFUSED[fault]
    found = refused(*words)
    assert found is None if message is None else message in found


def test_an_overlay_before_the_config_that_it_changes_is_refused(refused):
    assert "free.json stands before train.json" in refused(configs=("free", "train"))
    assert refused(configs=("train", "free")) is None


def test_what_only_building_shows_ends_in_one_line_and_an_engine_s_error_whole():
    assert what_failed(RuntimeError("Failed to instantiate component 'DiceLoss' with keywords: a")) == "DiceLoss"
    assert what_failed(RuntimeError("Failed to evaluate ConfigExpression: \n'$1 + \"a\"'"))
    assert what_failed(RuntimeError("Failed to evaluate ConfigExpression: \n\"$__local_refs['t'].run()\"")) is None
    assert what_failed(ZeroDivisionError("division")) is None


# A few whole commands, one for each way in which a value fails.
COMMANDS = {
    "kind": (["train"], {"epochs": "abc"}),
    "expression": (["train", "free"], {"replays": "$1/0"}),
    "building": (["train"], {"loss": {"_target_": "DiceLoss", "reduction": "sum of all"}}),
    "deep": (["train"], {"train#trainer#max_epochs": "many"}),
    "attack": (["train", "attack"], {"attack_eps_255": "[8,[2]]"}),
    "scans": (["inference"], {"dataset_dir": "a\nb"}),
    "network": (["train"], {"network_def": {**UNET, "out_channels": 4}}),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", COMMANDS)
def test_as_a_command_the_refusal_is_the_last_words(bundle, task04_phantom, tmp_path, way):
    names, changed = COMMANDS[way]
    folders = {"dataset_dir": str(task04_phantom), "output_dir": str(tmp_path / "eval")}
    folders |= {} if names == ["inference"] else {"ckpt_dir": str(tmp_path)}
    result = run(bundle, names, **{"network_def": UNET, **folders, **changed})
    assert result.returncode == 1, command(bundle, names, **changed)
    assert "Traceback" not in result.stdout
    lines = result.stdout.rstrip().splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("ERROR: "))
    assert all(line.startswith("  ") for line in lines[last + 1 :])
