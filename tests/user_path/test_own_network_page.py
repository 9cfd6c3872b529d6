"""docs/own_network.md is typed as it stands, about a network in several forms."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from own_networks import write_forms
from shown_commands import shown_by, text_of

from seat_components.__main__ import main
from seat_components.evaluation import AttackSetting, Protocol
from seat_components.evaluation.protocols import PROTOCOLS
from seat_components.foreign.asked import DEFAULTS
from seat_components.foreign.attack import write_report

PAGE = "docs/own_network.md"
COMMANDS = [command for command in shown_by(PAGE) if command.startswith("seat ")]


def test_the_page_is_typed(task04_phantom, tmp_path, monkeypatch):
    write_forms(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_code", raising=False)
    # What is tried here are the commands' words: few steps say as much.
    for name in ("quick", "standard"):
        monkeypatch.setitem(PROTOCOLS, name, Protocol((AttackSetting("apgd-dice", {"steps": 1}),), steps=1))
    reported = []
    monkeypatch.setattr("seat_components.foreign.attack.write_report", reported.extend)
    folders = {"SCANS": task04_phantom / "imagesTr", "MASKS": task04_phantom / "labelsTr", "DATA": task04_phantom}
    meant = {"NET.ts": "net.ts", "BUNDLE": "zoo_like", "ZOO_BUNDLE": "zoo_like", **folders}
    for number, command in enumerate(COMMANDS):
        words = [str({**meant, "OUT": f"out_{number}"}.get(word, word)) for word in shlex.split(command)]
        assert main(words[1:]) == 0, command
        record = json.loads(Path(f"out_{number}/robustness.json").read_text())
        assert record["summary"]
    assert reported == [Path(f"out_{number}") for number in range(len(COMMANDS))]
    assert write_report([Path("out_0")]).is_file()


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_page_names_every_id_that_may_follow(name):
    assert f"`{name}`" in text_of(PAGE)
    assert len(COMMANDS) == 3
