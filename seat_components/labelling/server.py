"""MONAI Label's server behind the guard, as a process: started, waited for, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from urllib.error import URLError
from urllib.request import urlopen

from seat_components.refusals import refuse

_HOST = "127.0.0.1"
_TAIL = 20
# The server's standard input is a pipe that only the starting process can write to. It ends when that process does,
# however it ends, and then the whole group is killed: no server outlives its starter.
_GUARDED = 'exec 3<&0; (read -r _ <&3; kill -9 0) & exec "$@" </dev/null 3<&-'


class LabelServer:
    """A MONAI Label server on this machine only; use it in a ``with`` statement.

    Args:
        python: interpreter of MONAI Label's environment.
        app: the app's folder (see ``make_app``).
        studies: folder of the images, and of the labels in its ``labels/``.
        models: names of the bundles to serve; all of them can score images, too.
        port: where to listen; a free one if None.
        hosts: further names under which a proxy passes requests on to it.
        origins: pages of other servers that may ask, such as ``https://viewer.example.org``.
        log: file for the server's output.
        start_seconds: how long the start may take.

    Raises:
        RefusalError: if the port is none or in use, or the server does not start; with the last lines of its output.
    """

    def __init__(
        self,
        python: Path,
        app: Path,
        studies: Path,
        models: Sequence[str],
        port: int | None = None,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
        log: Path | None = None,
        start_seconds: float = 180,
    ) -> None:
        self.port = free_port() if port is None else port
        if not 0 < self.port < 2**16:
            refuse(f"port is {port}, but a port is a number from 1 to {2**16 - 1}")
        self.log = log or app / "server.log"
        self.start_seconds = start_seconds
        self.command = [
            *(str(python), "-m", "monailabel.main", "start_server", "-a", str(app), "-s", str(studies)),
            *("-i", _HOST, "-p", str(self.port), "-c", "models", ",".join(models)),
            # Without these it would look for bundles and models on the internet first.
            *("-c", "zoo_source", "local", "-c", "sam2", "false"),
            *("-c", "epistemic_model", ",".join(models)),
            *("--uvicorn_app", "seat_components.labelling.guarded:app"),
            *("-c", "allow_hosts", ",".join(hosts), "-c", "allow_origins", ",".join(origins)),
        ]
        self.sessions = app / "sessions"
        self.process: subprocess.Popen[bytes] | None = None
        # The process group, which outlives ``process``: what the server starts belongs to it.
        self.group = 0

    @property
    def address(self) -> str:
        """What to type into a viewer or a browser."""
        return f"http://{_HOST}:{self.port}"

    def __enter__(self) -> LabelServer:
        """Start the server, and return when it answers."""
        with socket.socket() as probe:
            # Whoever answers there would be taken for the server.
            if probe.connect_ex((_HOST, self.port)) == 0:
                refuse(f"port {self.port} is in use, perhaps by another MONAI Label: end that, or take another --port")
        environment = {
            **os.environ,
            # A scoring run at every start and upload would take the machine away from its user.
            "MONAI_LABEL_AUTO_UPDATE_SCORING": "false",
            # Else it keeps what is uploaded for a session in the user's home.
            "MONAI_LABEL_SESSION_PATH": str(self.sessions),
            "PYTHONUNBUFFERED": "1",
        }
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own words
                ["/bin/sh", "-c", _GUARDED, "sh", *self.command],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        self.group = self.process.pid
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server."""
        self.stop()

    def wait(self) -> None:
        """Return when the server ends.

        Raises:
            RefusalError: if it ended with an error; with the last lines of its output.
        """
        if self.process is not None and (status := self.process.wait()) != 0:
            self._refuse(f"ended with status {status}")

    def stop(self, seconds: float = 10) -> None:
        """End the server and every process that it started: they are one group."""
        if self.process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.group, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None

    def _wait(self) -> None:
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                self._refuse("ended while starting")
            try:
                with urlopen(f"{self.address}/info/", timeout=30):  # noqa: S310 - our own address
                    return
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.5)
        self._refuse(f"did not answer within {self.start_seconds:g} s")

    def _refuse(self, what: str) -> None:
        tail = "\n".join(self.log.read_text("utf-8", errors="replace").splitlines()[-_TAIL:])
        refuse(f"MONAI Label's server {what}. Its output ({self.log}) ends with:\n{tail}")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        port: int = listener.getsockname()[1]
    return port
