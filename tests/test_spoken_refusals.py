"""A refusal reaches the program from wherever it is spoken: its main thread, another thread, or a loader worker."""

import sys
import threading
from multiprocessing.pool import ThreadPool

import pytest
from monai.transforms import Compose
from torch.utils.data import DataLoader

from seat_components.refusals import RefusalError, refuse
from seat_components.running.ending import shorten_config_errors

PATIENCE = 60


def speak(_):
    refuse("file.nii.gz is empty: take another.\n       Or mend it.")


class Refusing:
    """A dataset, alone or with a transform of MONAI's, which wraps what it meets."""

    def __init__(self, read):
        self.read = read

    def __len__(self):
        return 1

    def __getitem__(self, index):
        self.read(index)


@pytest.fixture
def bundle_run(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/anywhere/monai/bundle/__main__.py", "run"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    shorten_config_errors()


@pytest.mark.usefixtures("bundle_run")
def test_the_program_ends_with_it():
    with pytest.raises(SystemExit, match="ERROR: file is empty"):
        refuse("file is empty")


@pytest.mark.usefixtures("bundle_run")
def test_a_threads_refusal_goes_up_to_who_waits_for_it():
    with ThreadPool(1) as threads, pytest.raises(RefusalError, match="file is empty"):
        threads.apply_async(refuse, ("file is empty",)).get(PATIENCE)


@pytest.mark.usefixtures("bundle_run")
@pytest.mark.parametrize("read", [speak, Compose([speak])], ids=["dataset", "transform"])
def test_a_loader_workers_refusal_is_the_last_word(capfd, read):
    with pytest.raises((RefusalError, RuntimeError)) as caught:
        list(DataLoader(Refusing(read), num_workers=1, timeout=PATIENCE))
    capfd.readouterr()
    sys.excepthook(type(caught.value), caught.value, None)
    assert capfd.readouterr().err.startswith("\nERROR: file.nii.gz is empty: take another.\n       Or mend it.\n")
