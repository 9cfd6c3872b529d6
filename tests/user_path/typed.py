"""A command as a person types it: in a shell, in a folder, with its defaults; it must end by itself, and well."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import warm_start

# Far more than the longest takes on a machine that is busy with other work; one that never ends is killed then.
SECONDS = 600


def typed(command, folder, meant=(), seconds=SECONDS, warm=False, **variables):
    """What ``command`` printed. ``meant`` says what its capital words stand for: word → text.

    ``warm`` commands find their imports done (see warm_start.py): for those whose like is typed as a user finds it.
    """
    if (bash := shutil.which("bash")) is None:
        pytest.skip("needs bash")
    for word, meaning in dict(meant).items():
        # Not as the name of a variable ($DATA, DATA=…), nor inside another word.
        command = re.sub(rf"(?<![\w$]){re.escape(word)}(?![\w=])", shlex.quote(str(meaning)), command)
    words = [bash, "-e", "-u", "-c", command]
    process = subprocess.Popen(
        words,
        cwd=folder,
        env={**environment(warm), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        # Whatever it started holds the pipe too: this waits for all of them.
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        end_group(process)
        said, _ = process.communicate()
        pytest.fail(f"did not end by itself within {seconds} s: {command}\n{said[-3000:]}")
    assert process.returncode == 0, f"status {process.returncode}: {command}\n{said[-3000:]}"
    return said


def end_group(process):
    """Kill ``process`` and all that it started, as far as they are there."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def environment(warm=False):
    """This environment's programs come first, as after ``source .venv/bin/activate``; torchrun takes a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = [Path(python).parent for python in ([warm_start.python()] if warm else []) + [sys.executable]]
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PET_MASTER_PORT": str(port), "MLFLOW_DISABLE_TELEMETRY": "true"}
