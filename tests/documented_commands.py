"""Running the commands that pages show: taken out of their text, in a bundle with a small network."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from seat_components.bundles.render import write_bundle


def blocks(text, language="bash"):
    """The code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def block_commands(text):
    """The commands of all code blocks, without comments; a backslash joins a line with the next."""
    lines = [line for block in blocks(text) for line in block.replace("\\\n", " ").splitlines()]
    commands = [" ".join(re.sub(r"(^|\s+)#.*", "", line).split()) for line in lines]
    return [command for command in commands if command]


def small_bundle(folder, **values):
    """Task04's bundle in ``folder``, with ``values`` for the top level of its configs."""
    bundle = write_bundle("Task04_Hippocampus", folder)
    for name in ("train.json", "inference.json"):
        file = bundle / "configs" / name
        content = json.loads(file.read_text())
        file.write_text(json.dumps({**content, **{key: values[key] for key in values if key in content}}))
    return bundle


def environment():
    """Programs of this environment come first; torchrun takes a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PET_MASTER_PORT": str(port), "MLFLOW_DISABLE_TELEMETRY": "true"}


def run_documented(command, folder, meant, *further):
    """Run ``command`` in ``folder``, its words replaced by what ``meant`` says; what it printed comes back."""
    return run_well([*(meant.get(word, word) for word in shlex.split(command)), *further], folder)


def run_block(block, folder, **variables):
    """Run a whole block with these variables of the shell, up to the first command that fails."""
    if (bash := shutil.which("bash")) is None:
        pytest.skip("needs bash")
    return run_well([bash, "-e", "-u", "-c", block], folder, **variables)


def run_well(words, folder, **variables):
    """What ``words`` printed, which must end well."""
    done = subprocess.run(
        words,
        cwd=folder,
        env={**environment(), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}"
    return done.stdout
