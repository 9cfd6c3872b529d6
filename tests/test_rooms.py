"""The package's imports go down from room to room and in no circle, and the picture of the rooms shows them."""

import re
from pathlib import Path

import grimp
import networkx as nx
from importlinter.cli import lint_imports

from tools.rooms import floors, picture

ROOT = Path(__file__).parents[1]


def test_each_room_imports_only_what_pyproject_puts_below_it(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert lint_imports("pyproject.toml", no_cache=True, no_logo=True) == 0, capsys.readouterr().out


def test_no_file_imports_itself_by_way_of_others():
    modules = grimp.build_graph("seat_components", "tools", cache_dir=None)
    graph = nx.DiGraph(
        (one, other) for one in modules.modules for other in modules.find_modules_directly_imported_by(one)
    )
    assert [circle for circle in nx.strongly_connected_components(graph) if len(circle) > 1] == []


def test_the_committed_picture_is_what_the_imports_give():
    assert (ROOT / "docs" / "images" / "rooms.svg").read_text("utf-8") == picture(), "make rooms draws it again"
    assert all(re.search(rf">{room}(\.py)?<", picture()) for floor in floors()[:3] for room in floor)
