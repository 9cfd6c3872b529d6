"""A refusal reaches the program from wherever it is spoken: its main thread, another thread, or a loader worker."""

import sys
from multiprocessing.pool import ThreadPool

import pytest
from torch.utils.data import DataLoader

from seat_components.bundles.last_words import shorten_config_errors
from seat_components.refusals import RefusalError, refuse

PATIENCE = 60


class Refusing:
    def __len__(self):
        return 1

    def __getitem__(self, index):
        refuse("file.nii.gz is empty: take another.")


@pytest.fixture
def bundle_run(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/anywhere/monai/bundle/__main__.py", "run"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
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
def test_a_loader_workers_refusal_is_the_last_word(capsys):
    with pytest.raises(RefusalError) as caught:
        list(DataLoader(Refusing(), num_workers=1, timeout=PATIENCE))
    sys.excepthook(RefusalError, caught.value, None)
    assert capsys.readouterr().err.startswith("\nERROR: file.nii.gz is empty: take another.\n")
