"""Every command that any page shows for a bundle's folder, in that of Task04, whose images are MRI."""

import json
import re
import shlex
import signal
import subprocess
import time
from urllib.request import urlopen

import pytest
from bundle_commands import repeats, require_run, trained_bundle
from excused import EXCUSED
from shown_commands import typed_in
from typed import SECONDS, end_group, environment

RUN = [command for command in typed_in("bundle", EXCUSED) if not command.startswith("tensorboard ")]
SERVE = [command for command in typed_in("bundle", EXCUSED) if command.startswith("tensorboard ")]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory, task04_phantom):
    return trained_bundle("Task04_Hippocampus", tmp_path_factory.mktemp("mri"), task04_phantom)


@pytest.mark.parametrize("command", RUN)
def test_command_runs(command, trained, task04_phantom, tmp_path):
    require_run(command, trained, task04_phantom, tmp_path, warm=repeats(command, RUN[: RUN.index(command)]))


@pytest.mark.parametrize("command", SERVE)
def test_a_server_shows_what_a_run_wrote_and_ends_when_it_is_told(command, trained):
    log = trained / "server.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            shlex.split(command), cwd=trained, env=environment(), stderr=stream, start_new_session=True
        )
    try:
        # The first free port from 6006 on.
        address = wait_for(lambda: re.search(r"http://localhost:\d+/", log.read_text()))[0]
        wait_for(lambda: {"g", "gradient_norm", "train_loss", "val_mean_dice"} <= scalars(address))
        server.send_signal(signal.SIGTERM)
        server.wait(SECONDS)
    finally:
        end_group(server)


def scalars(address):
    with urlopen(f"{address}data/plugin/scalars/tags", timeout=30) as answer:  # noqa: S310 - the test's own server
        return {tag for tags in json.load(answer).values() for tag in tags}


def wait_for(what):
    deadline = time.monotonic() + SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found
