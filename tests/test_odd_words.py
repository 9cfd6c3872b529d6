"""Every command of ``seat`` ends on odd words with a message, never with a traceback."""

import pytest

from seat_components.__main__ import main
from seat_components.commands import COMMANDS

LONG = "x" * 300
ODD_PATHS = ("", "/nowhere/at/all", "/dev/null", "/dev/null/below", LONG, "a\nb", "~", __file__, "/proc/self/mem", "0")
# Command → words around an odd path, in their places.
WITH_PATHS = {
    "predict": [["{}", "-o", "{}", "--bundle", "{}"], ["{}", "-o", "{}"]],
    "train": [["{}", "{}"], ["{}", "{}", "-o", "{}", "--seed", "{}"]],
    "finetune": [["{}", "{}", "--pretrained", "{}"]],
    "evaluate": [["{}", "{}", "--weights", "{}"]],
    "attack": [
        ["{}", "{}", "--protocol", "{}"],
        ["--model", "{}", "--data", "{}", "--preprocessing", "{}", "-o", "out"],
        ["--model", "{}", "--images", "{}", "--labels", "{}", "--preprocessing", "none", "-o", "{}"],
    ],
    "corrupt": [["{}", "{}", "--seed", "{}"]],
    "certify": [["{}", "{}", "--radii", "{}"]],
    "options": [["{}"]],
    "report": [["{}"], ["{}", "--out", "{}"]],
    "phantom": [["--task", "Task04_Hippocampus", "--out", "{}/file"], ["--task", "{}", "--out", "out"]],
    "bundles": [["--tasks", "{}"]],
    "card": [["--task", "Task04_Hippocampus", "--run", "{}", "--method", "SEAT", "--training", "…", "--out", "out"]],
    "demo": [["--bundle", "{}", "--out", "out"], ["--bundle", "{}", "--out", "{}", "--data", "{}"]],
    "plan": [["--dataset", "{}"], ["--dataset", "{}", "--out", "{}"]],
    "new-bundle": [
        ["--dataset", "{}", "--name", "mine", "--out", "out"], ["--dataset", "d", "--name", "{}", "--out", "o"],
    ],
    "weights": [
        ["--init", "{}"], ["--convert", "{}", "--bundle", "{}"], ["--bundles", "{}", "--verify"], ["--bundles", "{}"],
    ],
    "experiment": [["--plan", "{}"], ["--plan", "{}", "--out", "{}", "--dataset", "{}"]],
    "zips": [["--bundles", "{}", "--out", "zips"]],
    "label": [["--tasks", "{}", "--studies", "{}", "--env", "{}"]],
}  # fmt: skip
NUMBERS = {
    "phantom": (["--task", "Task04_Hippocampus", "--out", "out"], ["--training", "--validation", "--seed"]),
    "weights": (["--init", "msd_task04_hippocampus"], ["--seed"]),
    "plan": (["--dataset", "."], ["--workers"]),
    "new-bundle": (["--dataset", ".", "--name", "mine", "--out", "out"], ["--workers"]),
    "demo": (["--bundle", ".", "--out", "out"], ["--epochs"]),
    "experiment": (["--plan", "plan.json"], ["--minutes"]),
    "attack": (["--model", "net.ts", "-o", "out"], ["--patch", "--steps", "--attack_eps_255", "--max_cases", "--seed"]),
    "label": (["--tasks", "a", "--studies", "."], ["--port"]),
}


def ends(words, capsys):
    """Run it; it must end by itself, with status 0, or with a message and another."""
    try:
        status = main(words)
    except SystemExit as exit_:  # argparse's own words
        status = exit_.code
    if status:
        assert capsys.readouterr().err.strip(), words


def test_each_command_is_tried():
    assert set(WITH_PATHS) | {"label-env"} == set(COMMANDS)


@pytest.mark.parametrize("command", WITH_PATHS)
def test_odd_paths_and_names(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "circle").symlink_to("circle")
    for odd in (*ODD_PATHS, "circle", "circle/below"):
        for words in WITH_PATHS[command]:
            ends([command, *(word.replace("{}", odd) for word in words)], capsys)


@pytest.mark.parametrize("command", NUMBERS)
def test_odd_numbers(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words, options = NUMBERS[command]
    for option in options:
        for odd in ("", "x", "-1", "0", "1.5", "nan", "inf", "9" * 40, "1e400", "$1", "None"):
            ends([command, *words, f"{option}={odd}"], capsys)
