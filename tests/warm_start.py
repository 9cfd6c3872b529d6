"""Starting ``python -m monai.bundle …`` and ``python -m seat_components …`` without the seconds that imports take.

What is started is a process of its own all the same: with its own session, folder, variables, signal handlers and exit.
One server for each process of pytest (warm_server.py) has done the imports and forks it. Not for tests about imports,
about variables that are read while something is imported (OMP_NUM_THREADS), about entry points or about memory.
SEAT_TEST_COLD=1 lets each start afresh, as does a system without pidfd.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from select import select

from warm_python import Running, is_warm

HERE = Path(__file__).parent
COLD = "SEAT_TEST_COLD" in os.environ or not hasattr(os, "pidfd_open")


@cache
def _server():
    """The socket's path and the server, which ends with this process: its standard input ends then."""
    address = str(Path(tempfile.mkdtemp(prefix="warm")) / "socket")
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [sys.executable, str(HERE / "warm_server.py"), address],
        env={**variables, "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout.readline() == b"ready\n", "the warm server did not start"
    return address, process


@cache
def python():
    """A ``python`` that starts warm: for a shell, where its folder comes first, and in place of ``sys.executable``."""
    if COLD:
        return sys.executable
    address, _ = _server()
    file = Path(address).parent / "python"
    words = shlex.join([sys.executable, "-I", "-S", str(HERE / "warm_python.py"), address, sys.executable])
    file.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    file.chmod(0o755)
    return str(file)


class WarmProcess:
    """Like ``subprocess.Popen(words, stdout=output, stderr=output, start_new_session=True)``."""

    def __init__(self, words, output, cwd=None, env=None):
        assert is_warm(words[1:]), words
        self.args = words
        self.returncode = None
        with Path(os.devnull).open() as nothing:
            streams = (nothing.fileno(), output.fileno(), output.fileno())
            self._running = Running(_server()[0], [str(word) for word in words[1:]], streams, cwd, env)
        self.pid = self._running.pid

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select([self._running.connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = self._running.status()
        return self.returncode

    def poll(self):
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def start(words, output, cwd=None, env=None):
    """Start ``words``, whose first is Python; both streams go to the open file ``output``."""
    if COLD:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, env=env, start_new_session=True
        )
    return WarmProcess(words, output, cwd, env)


def run(words, cwd=None, env=None, timeout=600):
    """Run ``words`` to their end; the result's ``stdout`` holds both streams."""
    with tempfile.TemporaryFile("w+") as output:
        process = start(words, output, cwd, env)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        output.seek(0)
        return subprocess.CompletedProcess(words, status, output.read())
