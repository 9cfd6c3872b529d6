"""The line that each of ``seat``'s words for runs prints and becomes."""

import re
import shlex
import sys
from configparser import ConfigParser
from pathlib import Path
from pydoc import locate

import pytest

from seat_components import __version__
from seat_components.__main__ import main
from seat_components.commands import COMMANDS
from seat_components.commands.bundle_runs import COMMANDS_OF_RUNS
from seat_components.launching import bundle_command, start

ROOT = Path(__file__).parents[2]
METHODS = ("free", "clean", "random", "pgd", "nfgsm", "growing", "phased")
OUT = {"ckpt_dir": "out", "output_dir": "out"}
# Words → configs, and the paths that they set, relative to the caller's folder.
LINES = {
    "predict a.nii.gz -o out --bundle BUNDLE": (["inference"], {"dataset_dir": "a.nii.gz", "output_dir": "out"}),
    "predict --bundle=BUNDLE --out out scans --weights w.pt": (
        ["inference"], {"dataset_dir": "scans", "output_dir": "out", "weights": "w.pt"},
    ),
    "train BUNDLE data": (["train"], {"dataset_dir": "data"}),
    "train BUNDLE --method seat data": (["train"], {"dataset_dir": "data"}),
    **{
        f"train BUNDLE data -o out --method {method}": (["train", method], {"dataset_dir": "data", **OUT})
        for method in METHODS
    },
    "finetune BUNDLE data --pretrained w.pt --method free": (
        ["train", "free", "finetune"], {"dataset_dir": "data", "pretrained": "w.pt"},
    ),
    "evaluate BUNDLE data --weights w.pt -o out": (
        ["train", "evaluate"], {"dataset_dir": "data", "weights": "w.pt", "output_dir": "out"},
    ),
    **{
        f"{word} BUNDLE data -o out": (["train", word], {"dataset_dir": "data", "output_dir": "out"})
        for word in ("attack", "corrupt", "certify")
    },
}  # fmt: skip


@pytest.fixture
def became(monkeypatch, tmp_path):
    """The words of the program that this one would have become, a list in a list; in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEAT_BUNDLES", str(ROOT / "bundles"))
    found = []
    monkeypatch.setattr(start.os, "execv", lambda program, words: found.append([program, *words[1:]]))
    return found


@pytest.mark.parametrize("name", ["msd_task04_hippocampus", str(ROOT / "bundles" / "msd_task09_spleen")])
@pytest.mark.parametrize("typed", LINES)
def test_a_word_prints_its_line_and_becomes_it(typed, name, became, tmp_path, capsys):
    further = ["--epochs", "3", "--patch_size", "[8, 8, 8]", "--amp=False"]
    assert main([*typed.replace("BUNDLE", name).split(), *further]) == 0
    configs, paths = LINES[typed]
    values = {name: tmp_path / path for name, path in paths.items()}
    line = [*bundle_command(configs, values, ROOT / "bundles" / Path(name).name), *further]
    assert line[0] == sys.executable
    assert len(became) == 1
    assert sorted(became[0]) == sorted(line)
    assert shlex.split(capsys.readouterr().out) == became[0]
    assert became[0][-len(further) :] == further, "what was typed last has the last word"


def test_values_that_are_no_paths_are_handed_on(became):
    assert main(["attack", "msd_task04_hippocampus", "data", "--protocol", "standard"]) == 0
    words = became[0]
    assert words[words.index("--protocol") + 1] == "standard"


REFUSED = {
    "train": r"No bundle is named.*msd_task04_hippocampus, ",
    "predict a.nii.gz -o out": r"No bundle is named.*msd_task04_hippocampus, ",
    "train liver data": "liver is no bundle.*msd_task04_hippocampus, ",
    "train msd_task04_hippocampus": "DATA is missing",
    "predict -o out --bundle msd_task04_hippocampus": "SCAN is missing",
    "predict a b -o out --bundle msd_task04_hippocampus": "'b' is one word too many",
    "predict a -o out/m.nii.gz --bundle msd_task04_hippocampus": "names a file",
    "train msd_task04_hippocampus data --dataset_dir other": "sets by itself",
    "train msd_task04_hippocampus data --config_file a.json": "sets by itself",
    "train msd_task04_hippocampus data --epochs 3 4": "'4' is neither an option",
    "train --epochs 3 msd_task04_hippocampus data": "No bundle is named",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_what_makes_no_line_is_refused(typed, became, capsys):
    assert main(typed.split()) == 1
    assert not became
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(f"ERROR: .*{REFUSED[typed]}", said), said


@pytest.mark.parametrize("word", COMMANDS)
def test_every_word_has_help(word, capsys):
    with pytest.raises(SystemExit) as end:
        main([word, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert ("--id value" in said) == (word in COMMANDS_OF_RUNS)


def test_the_program_and_its_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert __version__ in capsys.readouterr().out
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    program, _, place = setup["options.entry_points"]["console_scripts"].strip().partition(" = ")
    assert (program, locate(place.replace(":", "."))) == ("seat", main)


def test_other_words_take_no_further_options(capsys):
    with pytest.raises(SystemExit):
        main(["zips", "--odd", "1"])
    assert "unrecognized arguments: --odd 1" in capsys.readouterr().err
