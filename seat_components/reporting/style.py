"""How every picture looks: colours that colour-blind readers tell apart, quiet axes, PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

from seat_components.reporting.records import RunRecords

# Okabe and Ito's palette; yellow is left out, being too light for lines on white.
GREY, _ORANGE, _SKY, _GREEN, _BLUE, VERMILION, _PURPLE, BLACK = (
    "#6e6e6e",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#000000",
)
METHODS = {"clean": GREY, "random": _SKY, "free": _ORANGE, "pgd": _PURPLE, "seat": _BLUE}
_OTHERS = (_GREEN, VERMILION, BLACK)
_LONGEST_NAME = 60
_LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_ATTACKS = {
    "clean": (GREY, "-", "o"),
    "random": (GREY, ":", "x"),
    "pgd-ce": (_PURPLE, "-", "s"),
    "apgd-ce": (_BLUE, "-", "o"),
    "apgd-dice": (_GREEN, ":", "s"),
    "apgd-dlr": (_SKY, "--", "D"),
    "apgd-margin": (_SKY, "-", "^"),
    "apgd-mask-ce": (_GREEN, "-", "v"),
    "apgd-mask-ce-balanced": (_GREEN, "--", "P"),
    "apgd-js": (_BLUE, "--", "X"),
    "segpgd": (_PURPLE, "--", "D"),
    "cospgd": (_ORANGE, "--", "^"),
    "fab": (_ORANGE, ":", "v"),
    "square": (_ORANGE, "-", "s"),
    "worst": (VERMILION, "-", "o"),
}
LABELS = (_ORANGE, _SKY, _GREEN, _PURPLE, VERMILION, _BLUE)

Line = tuple[str, str, str]


def run_styles(runs: Sequence[RunRecords]) -> list[Line]:
    """(colour, line, marker) of each run by its method, or by its name without one: see ``method_styles``."""
    return method_styles([(run.description.method or run.name).lower().partition("-")[0] for run in runs])


def method_styles(methods: Sequence[str]) -> list[Line]:
    """(colour, line, marker) of each: the colour says the method, the line tells those of one method apart.

    Eight different methods have eight colours and markers.
    """
    unknown = list(dict.fromkeys(method for method in methods if method not in METHODS))
    free = (*_OTHERS, *(colour for method, colour in METHODS.items() if method not in methods))
    colours = METHODS | {method: free[i % len(free)] for i, method in enumerate(unknown)}
    ranks = [methods[:i].count(method) for i, method in enumerate(methods)]
    return [
        (colours[method], _LINES[rank % len(_LINES)], MARKERS[i % len(MARKERS)])
        for i, (method, rank) in enumerate(zip(methods, ranks, strict=True))
    ]


def attack_style(attack: str) -> Line:
    """(colour, line, marker) of an attack, the same in every report."""
    return _ATTACKS.get(attack, (BLACK, ":", "."))


def tidy(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Title, axis names with units, a faint grid, and no box."""
    axes.set_title(title, fontsize=10, loc="left", fontweight="bold")
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def legend_beside(axes: Axes) -> None:
    """A legend to the right of the axes, where it covers no data."""
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8, frameon=False, handlelength=2.6)


def in_picture(name: str) -> str:
    """A name of a run, case, label or attack as a picture shows it: one line of plain text, shortened where it is long.

    matplotlib leaves a name that begins with "_" out of legends; a space before it shows it.
    """
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())
    line = line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"
    return f" {line}" if line.startswith("_") else line


def png(figure: Figure) -> bytes:
    """The figure as PNG, the same bytes for the same data: no date and no software version inside.

    Only the labels of ticks are matplotlib's own mathematics; everywhere else a dollar is a dollar.
    """
    ticks = {id(label) for axis in figure.findobj(Axis) for label in axis.get_ticklabels(which="both")}
    for text in figure.findobj(Text):
        if id(text) not in ticks:
            text.set_parse_math(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, facecolor="white", bbox_inches="tight", metadata={"Software": None})
    return buffer.getvalue()
