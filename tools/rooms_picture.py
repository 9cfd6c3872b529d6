"""Boxes on floors and arrows between them, as SVG that reads on light and on dark pages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from statistics import fmean

import networkx as nx
from scipy.optimize import isotonic_regression

_BOX, _WAY, _GAP = 118.0, 14.0, 18.0  # widths
_HEIGHT, _FLOOR, _MARGIN = 34.0, 82.0, 12.0
_ROUNDS = 24
_STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:15px;font-weight:600;text-anchor:middle;fill:#10222e}"
    "rect{fill:#cfe3f1;stroke:#5b88a6}.ground{fill:#e6e2d3;stroke:#8d8568}"
    "path.arrow{fill:none;stroke:#7d8c98;stroke-width:1.5;marker-end:url(#tip)}marker path{fill:#7d8c98}"
)


def svg(
    floors: Sequence[Sequence[str]],
    names: Mapping[str, str],
    arrows: Iterable[tuple[str, str]],
    ground: Sequence[str],
) -> str:
    """SVG of boxes.

    Args:
        floors: the boxes, from the uppermost floor to the lowest.
        names: what stands in each box.
        arrows: (from, to), from a floor to a lower one.
        ground: names in one wide box at the bottom.
    """
    level = {box: number for number, boxes in enumerate(floors) for box in boxes}
    ways = [_way(level, start, end) for start, end in sorted(arrows)]
    centres = _centres([list(floor) for floor in floors], ways)
    left = min(centres[box] for box in level) - _BOX / 2 - _MARGIN
    right = max(centres[box] for box in level) + _BOX / 2 + _MARGIN
    levels = {point: number for way in ways for point, number in way} | level
    shown = [_arrow([(centres[point] - left, levels[point]) for point, _ in way]) for way in ways]
    boxes = [
        _box(centres[box] - left, number, _BOX, names[box])
        for box, number in sorted(level.items(), key=lambda item: item[::-1])
    ]
    width, bottom = right - left, len(floors)
    height = bottom * _FLOOR + _HEIGHT + 2 * _MARGIN
    boxes.append(_box(width / 2, bottom, width - 2 * _MARGIN, " · ".join(ground), "ground"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        'role="img" aria-label="The rooms of the package; an arrow points to what a room imports.">\n'
        f"<style>{_STYLE}</style>\n"
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0 8 4 0 8Z"/></marker>\n' + "\n".join([*shown, *boxes]) + "\n</svg>\n"
    )


_Way = list[tuple[str, int]]


def _way(level: Mapping[str, int], start: str, end: str) -> _Way:
    """An arrow's points with their floors: its ends, and a place on each floor between."""
    between = range(level[start] + 1, level[end])
    return [(start, level[start]), *((f"{start} to {end}, {floor}", floor) for floor in between), (end, level[end])]


def _centres(floors: list[list[str]], ways: Collection[_Way]) -> dict[str, float]:
    """The middle of each box and way on its floor, near those that it is joined with."""
    boxes = {name for floor in floors for name in floor}
    joined = nx.Graph()
    joined.add_nodes_from(boxes)
    for way in ways:
        for point, number in way[1:-1]:
            floors[number].append(point)
        nx.add_path(joined, [point for point, _ in way])
    order = {point: float(place) for floor in floors for place, point in enumerate(floor)}
    for round_ in range(_ROUNDS):
        for floor in floors if round_ % 2 else floors[::-1]:
            wished = {point: fmean([order[other] for other in joined[point]] or [order[point]]) for point in floor}
            floor.sort(key=lambda point: (wished[point], point))
            order.update(_apart(floor, wished, boxes))
    return order


def _apart(floor: list[str], wished: Mapping[str, float], boxes: Collection[str]) -> dict[str, float]:
    """Places as near to the wished as the widths allow, in the floor's order: least squares."""
    widths = [_BOX if point in boxes else _WAY for point in floor]
    offsets = [0.0]
    for one, other in pairwise(widths):
        offsets.append(offsets[-1] + (one + other) / 2 + _GAP)
    free = isotonic_regression([wished[point] - offset for point, offset in zip(floor, offsets, strict=True)]).x
    return {point: float(place + offset) for point, place, offset in zip(floor, free, offsets, strict=True)}


def _arrow(points: Sequence[tuple[float, int]]) -> str:
    """A curve through points (x, floor), from a box's lower edge to a box's upper edge."""
    (x, floor), *rest = points
    y = _MARGIN + floor * _FLOOR + _HEIGHT
    path = [f"M{x:.1f} {y:.1f}"]
    for number, (to, floor) in enumerate(rest, 1):
        top = _MARGIN + floor * _FLOOR - (2 if number == len(rest) else 0)
        path.append(f"C{x:.1f} {(y + top) / 2:.1f} {to:.1f} {(y + top) / 2:.1f} {to:.1f} {top:.1f}")
        x, y = to, top
        if number < len(rest):
            y += _HEIGHT
            path.append(f"V{y:.1f}")
    return f'<path class="arrow" d="{"".join(path)}"/>'


def _box(x: float, floor: int, width: float, name: str, kind: str = "room") -> str:
    y = _MARGIN + floor * _FLOOR
    return (
        f'<rect class="{kind}" x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_HEIGHT:.0f}" rx="7"/>'
        f'<text x="{x:.1f}" y="{y + _HEIGHT / 2 + 5:.1f}">{escape(name)}</text>'
    )
