"""What a run of a bundle says last where the system refuses another package's write, or where it is ended."""

import errno
import os
import resource
import sys
import threading

import pytest
from torch.utils.tensorboard import SummaryWriter

from seat_components.running.ending import shorten_config_errors


@pytest.fixture
def said(monkeypatch, capsys):
    """``said(action)``: the last words about the error that ``action()`` raises, as MONAI would wrap it."""

    def say(action):
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        monkeypatch.setattr(threading, "excepthook", threading.excepthook)
        shorten_config_errors()
        try:
            try:
                action()
            except Exception as error:
                raise RuntimeError("Failed to evaluate ConfigExpression: $@train#trainer.run()") from error
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
        return capsys.readouterr().err

    return say


def test_another_packages_full_disk_is_named_without_a_traceback(said, tmp_path):
    def write():
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        try:
            with SummaryWriter(tmp_path) as writer:
                writer.add_scalar("loss", 1.0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    words = said(write)
    assert words.startswith("\nERROR: A file of tensorboard's cannot be written: File too large.")


def test_the_file_is_named_where_the_system_says_it(said):
    def fail():
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/there/events")

    assert said(fail).startswith("\nERROR: /there/events cannot be written: Read-only file system.")


def test_an_error_of_a_running_engine_stays_whole(said):
    def fail():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/there/scan")

    assert "Traceback" in said(fail)


def test_ctrl_c_is_no_error(said):
    def interrupt():
        raise KeyboardInterrupt

    assert said(interrupt) == "\nEnded by Ctrl-C.\n"
