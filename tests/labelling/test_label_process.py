"""The server's process ends with its ``with`` block and with its starter; what it printed is told when it fails."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest
from label_client import LabelClient

from seat_components.labelling.app import make_app
from seat_components.labelling.commands import serve
from seat_components.labelling.environment import make_environment
from seat_components.labelling.server import LabelServer
from seat_components.refusals import RefusalError

# Stands in for MONAI Label: answers on the port that it is given, and starts a process of its own.
STAND_IN = """
import subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/info/" else 404)
        self.end_headers()
        self.wfile.write(b'{"models": {}}')

subprocess.Popen(["sleep", "600"])
port = int(sys.argv[sys.argv.index("-p") + 1])
HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""


@pytest.fixture
def python(tmp_path):
    """An interpreter whose module ``monailabel.main`` is the stand-in."""
    package = tmp_path / "modules" / "monailabel"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "main.py").write_text(STAND_IN)
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={package.parent} exec {sys.executable} "$@"\n')
    script.chmod(0o755)
    return script


def gone(group):
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_server_and_all_that_it_started_end_with_the_block(python, tmp_path):
    with LabelServer(python, tmp_path, tmp_path, ["a"]) as server:
        client = LabelClient(server.address)
        assert client.info() == {"models": {}}
        with pytest.raises(RefusalError, match="404"):
            client.datastore()
    assert gone(server.group)


def test_an_error_inside_the_block_ends_it_too(python, tmp_path):
    with pytest.raises(ZeroDivisionError), LabelServer(python, tmp_path, tmp_path, ["a"]) as server:
        1 / 0  # noqa: B018 - the error is the point
    assert gone(server.group)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_does_not_outlive_its_starter(python, tmp_path, number):
    code = f"""
    from pathlib import Path
    from seat_components.labelling.server import LabelServer
    with LabelServer(Path({str(python)!r}), Path({str(tmp_path)!r}), Path(), ["a"]) as server:
        print(server.group, flush=True)
        server.wait()
    """
    starter = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    group = int(starter.stdout.readline())
    starter.send_signal(number)
    starter.wait()
    assert gone(group)


def test_a_server_that_does_not_start_is_refused_with_its_words(tmp_path):
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho no such luck\nexit 3\n")
    failing.chmod(0o755)
    with (
        pytest.raises(RefusalError, match=r"ended while starting[^$]*no such luck"),
        LabelServer(failing, tmp_path, tmp_path, ["a"]),
    ):
        pass


def test_a_port_that_is_taken_is_refused(python, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(RefusalError, match=f"port {port} is in use"),
            LabelServer(python, tmp_path, tmp_path, ["a"], port),
        ):
            pass


@pytest.mark.parametrize("port", [-1, 0, 99999])
def test_what_is_no_port_is_refused(python, tmp_path, port):
    with pytest.raises(RefusalError, match=f"port is {port}"):
        LabelServer(python, tmp_path, tmp_path, ["a"], port)


def test_a_server_that_ends_with_an_error_later_is_told(python, tmp_path):
    with LabelServer(python, tmp_path, tmp_path, ["a"]) as server:
        # The shell that was started has become the interpreter, which is the group's first process.
        os.kill(server.process.pid, signal.SIGKILL)
        with pytest.raises(RefusalError, match="ended with status"):
            server.wait()


def test_windows_is_refused_in_words(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("venv.create", lambda *_, **__: pytest.fail("it began to make an environment"))
    with pytest.raises(RefusalError, match="Linux and macOS only"):
        make_environment(tmp_path)
    with pytest.raises(RefusalError, match="Linux and macOS only"):
        serve(tmp_path, ["Task04_Hippocampus"], tmp_path, tmp_path, tmp_path, 8000)


def test_a_server_that_does_not_answer_is_ended(tmp_path):
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o755)
    server = LabelServer(silent, tmp_path, tmp_path, ["a"], start_seconds=1)
    with pytest.raises(RefusalError, match="did not answer within 1 s"), server:
        pass
    assert gone(server.group)


def test_app_holds_copies_and_keeps_what_they_learned(tmp_path, bundle):
    sample = tmp_path / "sample"
    sample.mkdir()
    (sample / "main.py").touch()
    app = tmp_path / "app"
    with pytest.raises(RefusalError, match=r"no models/model\.pt"):
        make_app(sample, app, [bundle])
    with pytest.raises(RefusalError, match="val_patch: no such id"):
        make_app(sample, tmp_path / "other", [bundle], init=True, overrides={"val_patch": [8, 8, 8]})
    assert make_app(sample, app, [bundle], init=True, overrides={"batch_size": 3}) == [bundle.name]
    copy = app / "model" / bundle.name
    assert '"batch_size": 3' in (copy / "configs" / "train.json").read_text()
    assert '"description": "UNTRAINED' in (copy / "configs" / "metadata.json").read_text()
    (copy / "models" / "model.pt").write_bytes(b"learned")
    make_app(sample, app, [bundle])
    assert (copy / "models" / "model.pt").read_bytes() == b"learned"
    assert "UNTRAINED" not in (copy / "configs" / "metadata.json").read_text()
    # Settings reach copies that are there already, too, and a misspelt one is refused and costs nothing.
    make_app(sample, app, [bundle], overrides={"batch_size": 4})
    assert '"batch_size": 4' in (copy / "configs" / "train.json").read_text()
    with pytest.raises(RefusalError, match="batch_sizes: no such id"):
        make_app(sample, app, [bundle], overrides={"batch_sizes": 4})
    assert (copy / "models" / "model.pt").read_bytes() == b"learned"
    assert not list((bundle / "models").glob("*.pt"))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(RefusalError, match="make label-env"):
        serve(tmp_path, ["Task04_Hippocampus"], tmp_path, tmp_path, tmp_path, 8000)
