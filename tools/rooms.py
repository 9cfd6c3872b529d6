"""``python -m tools.rooms``: draw the package's rooms, and which of them imports which, from the imports themselves."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import grimp
import networkx as nx
from importlinter.api import read_configuration

from seat_components.files import write_text_atomically
from tools.rooms_picture import svg

_ROOT = Path(__file__).parents[1]
_PACKAGE = "seat_components"


def floors() -> list[list[str]]:
    """The rooms from the roof to the ground, as pyproject.toml states them; those of one floor in its order."""
    contracts = read_configuration(str(_ROOT / "pyproject.toml"))["contracts_options"]
    (stated,) = [contract["layers"] for contract in contracts if contract.get("containers") == [_PACKAGE]]
    return [[room.strip() for room in floor.split("|")] for floor in stated]


def imports() -> nx.DiGraph:
    """Which room imports which; a room knows whether it is a ``folder``, or a single file."""
    modules = grimp.build_graph(_PACKAGE, cache_dir=None)
    rooms = nx.DiGraph()
    for module in sorted(modules.modules - {_PACKAGE}):
        room = _room(module)
        rooms.add_node(room, folder=rooms.nodes.get(room, {}).get("folder", False) or module.count(".") > 1)
        for imported in sorted(modules.find_modules_directly_imported_by(module) - {_PACKAGE}):
            if _room(imported) != room:
                rooms.add_edge(room, _room(imported))
    return rooms


def _room(module: str) -> str:
    return module.split(".")[1]


def picture() -> str:
    """The rooms as SVG: floor by floor, and an arrow for each import that no way through other rooms implies.

    The single files at the bottom, which any room may import, are one box without arrows.
    """
    rooms, stated = imports(), floors()
    ground: list[str] = []
    while not any(rooms.nodes[room]["folder"] for room in stated[-1]):
        ground = [*stated.pop(), *ground]
    above = nx.transitive_reduction(rooms.subgraph(room for floor in stated for room in floor))
    names = {room: room if rooms.nodes[room]["folder"] else f"{room}.py" for room in above}
    return svg(stated, names, above.edges, [f"{name}.py" for name in ground])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="python -m tools.rooms", description=main.__doc__)
    parser.add_argument("--out", required=True, type=Path, help="the SVG file to write")
    write_text_atomically(picture(), parser.parse_args(arguments).out)


if __name__ == "__main__":
    main()
