"""What a command line gives is what Fire makes of it, in a bundle run and in no other program."""

import json
import sys

import pytest

from seat_components.launching import bundle_command
from seat_components.running.command_line import Given, given

PROGRAM = "/anywhere/monai/bundle/__main__.py"
FILES = ("a.json", "b.json")


@pytest.fixture
def read(monkeypatch):
    """``read(*words)``: what they give."""

    def run(*words, program=PROGRAM, command="run"):
        monkeypatch.setattr(sys, "argv", [program, command, *words])
        return given()

    return run


FORMS = {
    "list": ["--config_file", str(list(FILES))],
    "JSON": ["--config_file", json.dumps(FILES)],
    "tuple": ["--config_file", str(FILES)],
    "equals": [f"--config_file={list(FILES)}"],
    "dash": ["--config-file", str(list(FILES))],
    "one dash": ["-config_file", str(list(FILES))],
}


@pytest.mark.parametrize("form", FORMS)
def test_config_files_in_every_form(read, form):
    assert read(*FORMS[form]).files == FILES


VALUES = {
    "number": (["--epochs", "3"], {"epochs": 3}),
    "one word": (["--epochs=3"], {"epochs": 3}),
    "one dash": (["-epochs", "3"], {"epochs": 3}),
    "one dash, one word": (["-epochs=3"], {"epochs": 3}),
    "no value": (["--epochs", "--seed", "-3"], {"epochs": True, "seed": -3}),
    "no": (["--noresume"], {"resume": False}),
    "dash for underscore": (["--batch-size", "3"], {"batch_size": 3}),
    "text": (["--task", "$1 +"], {"task": "$1 +"}),
    "object": (["--loss", '{"_target_": "DiceLoss"}'], {"loss": {"_target_": "DiceLoss"}}),
    "inside": (["--train::trainer#amp", "False"], {"train::trainer#amp": False}),
    "the last of two": (["--seed", "1", "--seed", "2"], {"seed": 2}),
    "nothing": (["--epochs", "None"], {"epochs": None}),
}


@pytest.mark.parametrize("form", VALUES)
def test_values(read, form):
    words, values = VALUES[form]
    assert read("--config_file", "a.json", *words) == Given(("a.json",), values, {})


def test_monais_own_options_are_none_of_the_configs(read):
    taken = read("training", "--config_file", "a.json", "--tracking=mlflow", "--run_name", "x", "--", "--trace")
    assert taken == Given(("a.json",), {}, {"run_id": "training", "tracking": "mlflow", "run_name": "x"})


def test_a_file_of_arguments_counts_and_the_words_win(read, tmp_path):
    file = tmp_path / "arguments.json"
    file.write_text(json.dumps({"config_file": list(FILES), "epochs": 3, "seed": 1}))
    assert read("--args_file", str(file), "--epochs", "4") == Given(FILES, {"epochs": 4, "seed": 1}, {})


def test_other_programs_are_left_alone(read):
    assert read("--epoch", "3", program="/usr/bin/pytest") is None
    assert read("--epoch", "3", command="ckpt_export") is None


def test_what_a_program_starts_is_read_as_it_was_meant(read):
    values = {"epochs": 3, "patch_size": [8, 8, 8], "dataset_dir": "/data/a b", "network_def": {"_target_": "UNet"}}
    words = bundle_command(["train", "free"], {**values, "cache_dir": None})
    taken = read(*words[4:])
    # An expression gives nothing where None and null would not.
    assert (taken.files, taken.values) == (
        ("configs/train.json", "configs/free.json"),
        {**values, "cache_dir": "$None"},
    )
