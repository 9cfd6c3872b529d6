"""The guard against misspelt overrides: what it lets pass and what it refuses, in every form that Fire takes."""

import sys

import pytest
from bundle_runs import files
from monai.bundle import ConfigParser

from seat_components.running.command_line import given
from seat_components.running.ids import BUILT, MOVED, RENAMED, id_faults

PROGRAM = "/anywhere/monai/bundle/__main__.py"


@pytest.fixture
def check(bundle, monkeypatch):
    """``check(words)``: the guard's view of ``python -m monai.bundle run --config_file train.json words``."""

    def run(*words, config=None):
        config = ["--config_file", str(files(bundle, ["train"]))] if config is None else config
        monkeypatch.setattr(sys, "argv", [PROGRAM, "run", *config, *words])
        return "\n".join(id_faults(given()))

    return run


def test_every_id_of_every_config_passes(check, bundle):
    names = [file.stem for file in (bundle / "configs").glob("*.json") if file.stem != "metadata"]
    for name in names:
        configs = ["train", name] if name not in ("train", "inference") else [name]
        content = ConfigParser.load_config_files(files(bundle, configs))
        members = [f"{key}#{inner}" for key in ("train", "validate") for inner in content.get(key, {})]
        # What only seems to do something is refused elsewhere.
        keys = [key for key in [*content, *members] if RENAMED.get(key) not in content and key != "method"]
        words = [word for key in keys for word in (f"--{key}", "1")]
        assert check(*words, config=["--config_file", str(files(bundle, configs))]) == ""


def test_what_took_an_ids_place_is_there(check):
    for name, now in MOVED.items():
        assert check(f"--{now}", "1") == ""
        assert f"--{name} is --{now} now" in check(f"--{name}", "1")
    for name in BUILT:
        assert "train#trainer builds" in check(f"--{name}", "1")


ACCEPTED = {
    "two words": ["--epochs", "3"],
    "one word": ["--epochs=3"],
    "one dash": ["-epochs", "3"],
    "no value": ["--resume"],
    "no": ["--noresume"],
    "a value that looks like an option's": ["--epochs=--3", "--dataset_dir", "-3"],
    "dash for underscore": ["--batch-size", "3"],
    "inside a component": ["--train#trainer#max_epochs", "3"],
    "a component's further argument": ["--optimizer#nesterov", "True"],
    "inside a list": ["--train#random_transforms#0#spatial_size", "[8,8,8]"],
    "the other separator": ["--train::trainer::max_epochs=3"],
    "an underscored argument": ["--train#handlers#0#_disabled_", "True"],
    "inside what another override brings": ["--optimizer", '{"_target_": "Novograd"}', "--optimizer#amsgrad", "True"],
    "extending a list": ["--+initialize", "['$print(1)']"],
    "extending inside": ["--+train#handlers=[]"],
    "a new label": ["--label_names#3", "cyst"],
    "a further metric": ["--validate#key_metric#another", "{}"],
    "metadata": ["--_meta_#version", "2"],
    "run's own": ["--meta_file", "m.json", "--logging_file=l.conf", "--run_id", "run", "--final_id", "x"],
    "tracking": ["--tracking", "mlflow", "--tracking_uri=x", "--experiment_name=x", "--run_name", "x"],
    "tracking's config": ["--save_execute_config", "False"],
    "no override": [],
    "the end of options": ["--"],
}


@pytest.mark.parametrize("form", ACCEPTED)
def test_accepted(check, form):
    assert check(*ACCEPTED[form]) == ""


REFUSED = {
    "two words": (["--epoch", "3"], "--epoch is not an id of this bundle. Did you mean --epochs?"),
    "one word": (["--epocs=3"], "--epocs is not an id of this bundle. Did you mean --epochs?"),
    "one dash": (["-epochz", "1"], "--epochz is not an id of this bundle. Did you mean --epochs?"),
    "one dash, one word": (["-epochz=1"], "Did you mean --epochs?"),
    "a letter": (["-e", "1"], "--e is not an id of this bundle"),
    "without value": (["--resumee"], "Did you mean --resume?"),
    "dash": (["--batch-sise", "3"], "Did you mean --batch_size?"),
    "extending": (["--+initialise=[]"], "Did you mean --initialize?"),
    "in a group": (["--validate#infrer", "x"], "Did you mean --validate#inferer?"),
    "a component's argument": (
        ["--train#trainer#max_epoch", "3"],
        "--train#trainer#max_epoch: RobustTrainer takes no argument 'max_epoch'. "
        "Did you mean --train#trainer#max_epochs?",
    ),
    "an argument of ours": (["--schedule#g_mx", "3"], "Did you mean --schedule#g_max?"),
    "in a list": (
        ["--train#random_transforms#0#spatial_siz=3"],
        "Did you mean --train#random_transforms#0#spatial_size?",
    ),
    "the beginning of an id": (["--eps", "8"], "Did you mean --eps_255?"),
    "an overlay's id": (["--replays", "5"], "of free.json: add that config"),
    "an id of before": (["--cases#training", "5"], "--cases#training is --cases now"),
    "a component of before": (["--history", "x"], "train#trainer builds the history"),
    "a list of before": (["--+prepare=[]"], "--prepare is --run now"),
    "a handler of before": (["--train#handlers#0#interval", "1"], "are train#trainer's own; see --val_interval"),
    "like nothing": (["--zzzzzzzz", "1"], "`seat options BUNDLE` lists all."),
}


@pytest.mark.parametrize("form", REFUSED)
def test_refused(check, form):
    words, advice = REFUSED[form]
    assert advice in check(*words)


def test_configs_are_found_behind_a_dash_too(check, bundle):
    for words in (["--config-file", str(files(bundle, ["train"]))], [f"--config-file={files(bundle, ['train'])}"]):
        assert "Did you mean --epochs?" in check("--epoch", "3", config=words)


def test_all_misspelt_ids_are_named_one_a_line(check):
    lines = check("--epoch", "3", "--epochs", "3", "--fould=0").splitlines()
    assert [line.split()[0] for line in lines] == ["--epoch", "--fould"]


def test_the_methods_name_alone_is_refused(check, bundle):
    assert "add its config" in check("--method", "FREE")
    assert check("--method", "mine", "--schedule#g_max", "8") == ""


def test_the_budget_of_training_is_not_that_of_an_attack(check, bundle):
    assert check("--eps_255", "4") == ""
    attack = ["--config_file", str(files(bundle, ["train", "attack"]))]
    assert "did you mean --attack_eps_255?" in check("--eps_255", "4", config=attack)
    assert check("--attack_eps_255", "[4]", config=attack) == ""


def test_an_id_of_an_overlay_that_is_not_named_is_refused(check, bundle):
    message = check("--attack_steps", "3")
    assert message == "--attack_steps is not an id of these configs, but of pgd.json: add that config."
    assert check("--attack_steps", "3", config=["--config_file", str(files(bundle, ["train", "pgd"]))]) == ""


def test_a_config_of_ones_own_in_yaml_counts(check, bundle, tmp_path):
    (tmp_path / "mine.yaml").write_text("my_option: 3\n")
    config = ["--config_file", str([*files(bundle, ["train"]), str(tmp_path / "mine.yaml")])]
    assert check("--my_option", "4", config=config) == ""
    assert "Did you mean --my_option?" in check("--my_optoin", "4", config=config)
