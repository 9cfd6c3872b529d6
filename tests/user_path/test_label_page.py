"""docs/monai_label.md: ``make label`` as typed; its server segments, trains with the bundle's defaults, and ends."""

import csv
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest
from excused import EXCUSED
from label_client import LabelClient
from shown_commands import ROOT, typed_in
from typed import SECONDS, end_group, environment

from seat_components.data import write_phantom
from seat_components.evaluation.identity import sha256
from seat_components.labelling.server import free_port
from seat_components.tasks import load_task

RUN = typed_in("label", EXCUSED)
BUNDLE = "msd_task04_hippocampus"
SHIPPED = ROOT / "bundles" / BUNDLE / "models"


class Server:
    """``make label …`` in the project's folder, with the folders of a test and a port that is free."""

    def __init__(self, command, studies, app):
        if (bash := shutil.which("bash")) is None or shutil.which("make") is None:
            pytest.skip("needs bash and make")
        own = f"--port {free_port()} --app {app}"
        command = command.replace("/path/to/scans", str(studies))
        if "LABEL_OPTIONS=" in command:
            command = f'{command.rstrip().removesuffix(chr(34))} {own}"'
        self.process = subprocess.Popen(
            [bash, "-e", "-u", "-c", command],
            cwd=ROOT,
            env={**environment(), "LABEL_OPTIONS": own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def address(self):
        """The address that it prints when it is ready."""
        said, deadline = "", time.monotonic() + SECONDS
        while not (found := re.search(r"MONAI Label is ready: (\S+)", said)):
            line = self._lines.get(timeout=max(deadline - time.monotonic(), 0))
            assert line is not None, said
            said += line
        return found[1]

    def end(self):
        """Tell all of it to end, as a closed terminal or a service manager does; nothing may be left."""
        # Not SIGINT, which programs ignore that a script started in the background.
        os.killpg(self.process.pid, signal.SIGTERM)
        self._reader.join(SECONDS)  # the pipe closes when the last process that holds it ends
        assert not self._reader.is_alive(), "the server did not end"
        self.process.wait(SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_group(self.process)


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN)
def test_the_server_segments_trains_and_ends(command, label_python, tmp_path):
    write_phantom(load_task("Task04_Hippocampus"), tmp_path / "data", cases=(2, 1))
    images = sorted((tmp_path / "data" / "imagesTr").glob("*.nii.gz"))[:2]
    studies, app = tmp_path / "studies", tmp_path / "app"
    studies.mkdir()
    for image in images:
        shutil.copy(image, studies)
    free = "FixedSchedule" in command
    with Server(command, studies, app) as server:
        client = LabelClient(server.address())
        names = [image.name.removesuffix(".nii.gz") for image in images]
        for name, image in zip(names, images, strict=True):
            client.upload_label(name, image.parents[1] / "labelsTr" / image.name)
        job = client.train(BUNDLE, model_filename="model_clean.pt", max_epochs=2, val_split=0.0)
        assert job["status"] == "DONE", job
        assert client.infer(BUNDLE, names[0])
        server.end()
    copy = app / "model" / BUNDLE
    rows = list(csv.DictReader((copy / "eval" / "training_history.csv").open()))
    assert [row["g"] for row in rows] == (["5", "5"] if free else ["1", "1"])
    assert sha256(copy / "models" / "model_clean.pt") == sha256(SHIPPED / "model_clean.pt")
    assert sha256(copy / "models" / "model.pt") not in (
        sha256(SHIPPED / "model.pt"),
        sha256(SHIPPED / "model_clean.pt"),
    )
