"""Every command that any page shows for the project's folder, in a copy of it."""

import json
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from shutil import which

import pytest
import torch
from bundle_commands import repeats
from excused import EXCUSED
from projects import project_copy
from shown_commands import ROOT, shown, typed_in
from small_bundles import EPOCHS, small_bundle
from typed import typed

from seat_components.bundles.template_files import template
from seat_components.evaluation.identity import sha256
from seat_components.networks import ROG
from seat_components.tasks import load_task

RUN = typed_in("project", EXCUSED)
SHIPPED = "bundles/msd_task04_hippocampus/models/model.pt"
OTHER = load_task("Task09_Spleen")
# What a command leaves behind, by a word of it.
WRITES = {
    "make bundle-zips": "dist/*.zip",
    "--hub": "FOLDER/*/README.md",
    "make dist": "dist/*.whl",
    "make options": "docs/options.md",
    "make rooms": "docs/images/rooms.svg",
    "phantom": "new/dataset.json",
    "new-bundle": "bundles/own/configs/train.json",
    "experiment": "out/results.md",
    "pre-commit": ".git/hooks/pre-commit",
    "--init": f"bundles/{OTHER.bundle}/models/untrained.json",
    "--convert": f"bundles/{OTHER.bundle}/models/model_theirs.pt",
    "--restore": f"bundles/{OTHER.bundle}/models/model.pt",
    "download_large_files": f"bundles/{OTHER.bundle}/models/model.pt",
}
PROGRAMS = {"make": "make", "pre-commit": "pre-commit", "source": "bash"}


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN)
def test_command_runs(command, task04_phantom, tmp_path):
    needed = PROGRAMS.get(command.split()[0])
    if needed and which(needed) is None and not (ROOT / ".venv" / "bin" / needed).exists():
        pytest.skip(f"needs {needed}")
    project = project_copy(tmp_path / "project")
    meant, further, variables = prepare(command, project, task04_phantom)
    for file in (project / path for word, path in WRITES.items() if word in command and "*" not in path):
        file.unlink(missing_ok=True)
    warm = command.startswith("python -m ") and repeats(command, RUN[: RUN.index(command)])
    said = typed(f"{command}{further}", project, meant, warm=warm, **variables)
    for word, path in WRITES.items():
        assert word not in command or list(project.glob(path)), said
    if command == "make":
        assert {f"make {word}" for word in targets()} <= set(re.findall(r"make [a-z-]+", said))
    if command == "make bundles":
        assert contents(project / "bundles") == contents(ROOT / "bundles")


def prepare(command, project, data):
    """Set ``project`` up for ``command``: what its words stand for, what is to follow it, and the shell's variables."""
    meant, further, variables = {"BUNDLE": f"bundles/{OTHER.bundle}", "DIR": project / "new", "NAME": "own"}, "", {}
    if "new-bundle" in command:
        meant["DIR"] = data
    elif "experiment" in command:
        meant["FILE"] = write_plan(project, data)
    elif "--convert" in command:
        meant["FILE"] = project / "theirs.pt"
        network = ROG(len(OTHER.modalities), len(OTHER.labels), OTHER.strides)
        torch.save({"state_dict": network.state_dict()}, meant["FILE"])
    elif "--restore" in command:
        shutil.copy(project / SHIPPED, project / "bundles" / OTHER.bundle / "models" / "model_shipped.pt")
    elif "download_large_files" in command:
        registered = {"file": "model.pt", "url": (ROOT / SHIPPED).as_uri(), "sha256": sha256(ROOT / SHIPPED)}
        listing = template().get_template("large_files.yml").render(results=[registered])
        (project / "bundles" / OTHER.bundle / "large_files.yml").write_text(listing)
    elif "range_over_std" in command:
        meant["DATA"] = data
    elif command.startswith("source "):
        further = "\ncommand -v python torchrun tensorboard"
    elif command.startswith("pip "):
        # What is asked for is there in an environment of `make`; elsewhere it would need the network.
        variables["PIP_NO_INDEX"] = "1"
        if any(find_spec(module) is None for module in ("mlflow", "onnx", "torchio")):
            pytest.skip("needs an environment with all extras")
    elif command.startswith("pre-commit "):
        variables = {"PRE_COMMIT_HOME": str(project / "home"), "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(["git", "init", "--quiet", project], check=True, env={**os.environ, **variables})  # noqa: S607
    return meant, further, variables


def write_plan(project, data):
    """A plan of one short training, and its attack."""
    content = {
        "title": "Phantoms",
        "bundle": str(small_bundle("Task04_Hippocampus", project / "small")),
        "dataset_dir": str(data),
        "out": str(project / "out"),
        "train": {"epochs": EPOCHS},
        "attacks": {"quick": {"attack_eps_255": [8]}},
        "runs": {"seat": {}},
    }
    file = project / "plan.json"
    file.write_text(json.dumps(content))
    return file


def targets():
    """Those of the Makefile that pages name."""
    return {command.split()[1] for command in shown() if command.startswith("make ")}


def contents(folder):
    """Path → bytes of the files that rendering writes."""
    kept = (file for file in folder.rglob("*") if file.is_file() and file.parent.name in ("configs", "docs"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in kept}
