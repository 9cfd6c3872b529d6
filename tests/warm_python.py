"""Asking a warm server (warm_server.py) to run a module; as a program, a ``python`` that does so where it can.

As a program: ``warm_python.py ADDRESS PYTHON [words of python]``. It imports next to nothing and starts at once.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

MODULES = ("monai.bundle", "seat_components")


def is_warm(words):
    """Whether a server runs ``python WORDS``: ``-m`` and one of the modules."""
    return len(words) > 1 and words[0] == "-m" and words[1] in MODULES


class Running:
    """A process of its own, in a session of its own, that runs ``python WORDS``; it is killed when this is closed.

    ``streams`` are the three file descriptors that become its standard input, output and errors.
    """

    def __init__(self, address, words, streams, cwd=None, env=None):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(address)
        request = {"words": words, "cwd": str(cwd or Path.cwd()), "env": dict(os.environ if env is None else env)}
        socket.send_fds(self.connection, [b"."], streams)
        self.connection.sendall(json.dumps(request).encode() + b"\n")
        self._answers = self.connection.makefile()
        self.pid = int(self._answers.readline())

    def status(self):
        """Wait for its end; the status as subprocess gives it, below zero for a signal."""
        return int(self._answers.readline())


def main(address, python, *words):
    if not is_warm(words):
        os.execv(python, [python, *words])  # noqa: S606 - the words that it was called with
    running = Running(address, words, (0, 1, 2))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(running.pid, number))
    status = running.status()
    # As a shell gives the status of what a signal ended.
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
