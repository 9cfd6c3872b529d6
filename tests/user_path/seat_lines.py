"""A line that begins with ``seat``, done in this process; the run that it becomes is a process of its own."""

import shlex
import sys
from pathlib import Path

import warm_start
from shown_commands import ROOT
from typed import environment

from seat_components.__main__ import main
from seat_components.launching import start


def type_seat(command, monkeypatch):
    """Do ``command`` in the working folder; it must end well."""
    lines = []
    monkeypatch.setattr(start.os, "execv", lambda _, words: lines.append(words))
    assert main(shlex.split(command)[1:]) == 0, command
    for words in lines:
        variables = {**environment(), "PYTHONPATH": str(ROOT)}
        done = warm_start.run([sys.executable, *words[1:]], cwd=Path.cwd(), env=variables)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}"
