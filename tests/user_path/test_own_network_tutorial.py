"""docs/tutorial_own_network.md: its network is trained, attacked and reported on as the page says, and in Python."""

import re
import runpy
import shlex
import sys

import pytest
from excused import EXCUSED
from seat_lines import type_seat
from shown_commands import blocks, text_of, typed_in

from seat_components.records.attacked import WORST
from seat_components.records.model import read_record
from seat_components.records.robustness import FILE, Robustness

PAGE = "docs/tutorial_own_network.md"
NETWORK, IN_PYTHON = blocks(text_of(PAGE), "python")


@pytest.mark.slow
def test_its_lines_lead_from_a_network_to_what_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_network.py").write_text(NETWORK)
    places = {"DATA": tmp_path / "data", "OUT": tmp_path / "out"}
    for command in typed_in(PAGE, EXCUSED):
        typed = re.sub(r"\$(\w+)", lambda word: str(places[word[1]]), command)
        if typed.startswith("seat "):
            type_seat(typed, monkeypatch)
        else:
            _, program, *words = shlex.split(typed)
            monkeypatch.setattr(sys, "argv", [program, *words])
            runpy.run_path(program, run_name="__main__")
    assert "NOTE: --model my_network:network runs the code of that module" in capsys.readouterr().out
    record = read_record(Robustness, tmp_path / "out" / FILE)
    dice = {row.attack: row.mean_dice for row in record.summary if row.eps_255 in (0, 8)}
    assert dice["clean"] > 0.7, "a network worth attacking"
    assert dice[WORST] < dice["clean"] - 0.1
    assert (tmp_path / "out/report.html").is_file()

    in_python = {}
    exec(compile(IN_PYTHON, PAGE, "exec"), in_python)  # noqa: S102 - the page's own lines
    assert in_python["record"]["protocol"] == "quick"
    sys.modules.pop("my_network", None)
