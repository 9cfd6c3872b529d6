"""Running the commands that pages show: taken out of their text, in a bundle with a small network."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from seat_components.bundles.render import write_bundle


def block_commands(text, language="bash"):
    """The commands of all code blocks, without comments; a backslash joins a line with the next."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
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
    """Run ``command`` in ``folder``; its words, or their parts before a slash, stand for what ``meant`` says.

    What it printed comes back; it must end well.
    """
    words = [replaced(word, meant) for word in shlex.split(command)]
    done = subprocess.run(
        [*words, *further],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}"
    return done.stdout


def replaced(word, meant):
    first, slash, rest = word.partition("/")
    return f"{meant.get(first, first)}{slash}{rest}"
