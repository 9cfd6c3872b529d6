"""A run as a user starts it, with the default num_workers, ends by itself and with the status that docs promise."""

import os
import signal
import subprocess
import sys
import time

import pytest
import warm_start
from bundle_runs import UNET, command

from seat_components.training import TrainingCheckpoint

pytestmark = pytest.mark.slow

# What a test may make smaller; num_workers is not among it.
SMALL = {"network_def": UNET, "patch_size": [16, 16, 16], "val_patch_size": [32, 48, 32], "val_interval": 1}
# Far beyond what ending takes on the busiest machine: a process that stands still is what this would find.
PATIENCE = 300
FOREVER = 100_000

FAULTY_NETWORK = """
import os
import time
from monai.networks.nets import UNet

class Faulty(UNet):
    def forward(self, x):
        if self.training and os.path.exists(os.environ["FAULT"]):
            raise RuntimeError("a fault in a batch")
        return super().forward(x)

class Waiting(UNet):
    def __init__(self, *arguments, **options):
        open(os.environ["FAULT"], "w").close()
        while True:
            time.sleep(1)
"""
FAULTY_TRANSFORM = """
import os
from monai.transforms import MapTransform, RandomizableTrait

class Faultyd(MapTransform, RandomizableTrait):
    def __call__(self, data):
        if os.path.exists(os.environ["FAULT"]):
            raise RuntimeError("a fault in a worker")
        return data
"""


class Run:
    """A bundle's command in a process group of its own; started cold where words come ``before`` it."""

    def __init__(self, bundle, data, folder, configs=("train",), before=(), **overrides):
        self.folder = folder
        self.log = folder / "log.txt"
        self.fault = folder / "fault"
        options = {"dataset_dir": data, "ckpt_dir": folder, "output_dir": folder, **SMALL, **overrides}
        words = command(bundle, list(configs), **options)
        (folder / "faulty.py").write_text(FAULTY_NETWORK + FAULTY_TRANSFORM)
        path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
        with self.log.open("a") as log:
            environment = {**os.environ, "PYTHONPATH": path, "FAULT": str(self.fault)}
            if before:
                words = [*before, *words[1:]]
                self.process = subprocess.Popen(words, env=environment, stdout=log, stderr=log, start_new_session=True)
            else:
                self.process = warm_start.start(words, log, env=environment)

    def trains(self):
        """Wait until an epoch is done and its checkpoint is on disk."""
        while not (self.folder / TrainingCheckpoint.FILE_NAME).exists() and self.process.poll() is None:
            time.sleep(0.05)
        assert self.process.poll() is None, self.said()
        return self

    def ends(self):
        """Its status; a process that does not end is killed, and fails the test."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            pytest.fail(f"did not end within {PATIENCE} s:\n{self.said()}")

    def said(self):
        return self.log.read_text()[-3000:]


@pytest.fixture
def start(bundle, task04_phantom, tmp_path):
    return lambda *configs, **options: Run(bundle, task04_phantom, tmp_path, configs or ("train",), **options)


def test_a_training_and_its_resumption_end(start):
    run = start(epochs=1, before=[sys.executable])
    assert run.ends() == 0, run.said()
    run = start("train", "resume", epochs=2)
    assert run.ends() == 0, run.said()
    assert "1 epochs done" in run.said()


STOPS = {
    "SIGTERM": (os.kill, signal.SIGTERM, 143),
    "SIGTERM to the group": (os.killpg, signal.SIGTERM, 143),
    "Ctrl-C": (os.killpg, signal.SIGINT, 130),
}


@pytest.mark.parametrize("stop", STOPS)
def test_a_signal_ends_it_with_a_checkpoint_and_its_status(start, stop):
    send, number, status = STOPS[stop]
    run = start(epochs=FOREVER).trains()
    send(run.process.pid, number)
    assert run.ends() == status, run.said()
    assert "add configs/resume.json to go on" in run.said()
    assert "Traceback" not in run.said()


def test_a_time_limit_is_no_failure(start):
    run = start(epochs=FOREVER, stop_after_minutes=1e-4)
    assert run.ends() == 0, run.said()
    assert (run.folder / TrainingCheckpoint.FILE_NAME).is_file()


@pytest.mark.parametrize("where", ["batch", "worker"])
def test_an_error_ends_it_and_leaves_the_last_checkpoint(start, where):
    options = {
        "batch": {"network_def": {**UNET, "_target_": "faulty.Faulty"}},
        "worker": {"train#random_transforms#9": {"_target_": "faulty.Faultyd", "keys": "image"}},
    }[where]
    run = start(epochs=FOREVER, **options).trains()
    run.fault.touch()
    assert run.ends() == 1, run.said()
    assert f"a fault in a {where}" in run.log.read_text()
    assert (run.folder / TrainingCheckpoint.FILE_NAME).is_file()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_two_processes_end_with_a_checkpoint(start, number):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    run = start("train", "multi_gpu_train", epochs=FOREVER, before=torchrun).trains()
    os.kill(run.process.pid, number)
    assert run.ends() != 0
    assert "add configs/resume.json to go on" in run.said()


@pytest.mark.parametrize("stop", ["SIGTERM", "Ctrl-C"])
def test_a_signal_before_the_training_ends_it_in_one_line(start, stop):
    send, number, status = STOPS[stop]
    run = start(network_def={**UNET, "_target_": "faulty.Waiting"})
    while not run.fault.exists():
        assert run.process.poll() is None, run.said()
        time.sleep(0.05)
    send(run.process.pid, number)
    assert run.ends() == status, run.said()
    assert run.said().rstrip().splitlines()[-1].startswith("Ended by ")
    assert "Traceback" not in run.said()


def test_a_second_run_in_the_folder_is_refused_and_an_evaluation_is_not(start):
    first = start(epochs=FOREVER).trains()
    log = first.log.read_text()
    second = start(epochs=1)
    assert second.ends() == 1
    said = second.log.read_text().removeprefix(log)
    assert f"process {first.process.pid} on " in said
    assert first.process.poll() is None
    evaluation = start("train", "evaluate", weights=first.folder / "model.pt")
    assert evaluation.ends() == 0, evaluation.said()
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait()
    after = start("train", "resume", stop_after_minutes=1e-4)
    assert after.ends() == 0, after.said()
