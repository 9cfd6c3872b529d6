"""Few attacks, and no report but where one is asked for: its figures take longer than all else here."""

import shutil
import sys

import pytest
from own_networks import write_forms

from seat_components.evaluation import AttackSetting, Protocol
from seat_components.evaluation.protocols import PROTOCOLS
from seat_components.foreign import attack


@pytest.fixture(autouse=True)
def few_attacks(monkeypatch):
    attacks = (AttackSetting("random"), AttackSetting("apgd-dice", {"steps": 3}))
    monkeypatch.setitem(PROTOCOLS, "quick", Protocol(attacks, steps=3))
    monkeypatch.setattr(attack, "write_report", lambda runs: f"no report of {runs}")


@pytest.fixture(scope="session")
def written_forms(tmp_path_factory):
    return write_forms(tmp_path_factory.mktemp("forms"))


@pytest.fixture
def forms(written_forms, tmp_path, monkeypatch):
    """The working folder, with one network in all its forms."""
    folder = shutil.copytree(written_forms, tmp_path / "forms")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    # Another test's code bears the same name.
    monkeypatch.delitem(sys.modules, "own_code", raising=False)
    return folder
