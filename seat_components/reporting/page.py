"""The report as one HTML page: blocks of text, tables and embedded pictures; no scripts, no outside links."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light; }
body { margin: 2.5rem auto; max-width: 62rem; padding: 0 1.25rem; background: #fff; color: #1d232a;
       font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-top: .9rem; border-top: 1px solid #d9dee3; }
h3 { font-size: 1rem; margin: 1.8rem 0 .4rem; }
p { margin: .5rem 0; max-width: 48rem; }
.summary { color: #46505a; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .6rem 0 .3rem; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #e6eaed; }
th { font-weight: 600; }
thead th { border-bottom: 2px solid #aab4bd; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 400; white-space: nowrap; }
.wide { overflow-x: auto; }
figure { margin: 1rem 0 1.6rem; }
img { max-width: 100%; height: auto; display: block; }
.note, figcaption { color: #46505a; font-size: .88rem; max-width: 48rem; }
.alarms { border-left: 5px solid #d55e00; background: #fdf1ea; padding: .6rem 1.1rem; margin: 1.2rem 0; }
.calm { border-left: 5px solid #009e73; background: #eef7f4; padding: .6rem 1.1rem; margin: 1.2rem 0; }
.open { border-left: 5px solid #8a96a1; background: #f4f6f7; padding: .6rem 1.1rem; margin: 1.2rem 0; }
.alarms h2, .calm h2, .open h2 { border: 0; margin: 0; padding: 0; font-size: 1.05rem; }
ul { margin: .3rem 0; padding-left: 1.2rem; }
@media print {
  body { margin: 0; max-width: none; font-size: 10.5pt; }
  figure, table, .alarms, .calm, .open { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str

    def html(self) -> str:
        """The paragraph, escaped."""
        return f"<p>{escape(self.text)}</p>"


@dataclass(frozen=True)
class Notice:
    """A box with a heading and a list of lines; ``kind`` is alarms, calm or open."""

    kind: str
    heading: str
    lines: Sequence[str]

    def html(self) -> str:
        """The box, escaped."""
        lines = "".join(f"<li>{escape(line)}</li>" for line in self.lines)
        body = f"<ul>{lines}</ul>" if lines else ""
        return f'<section class="{escape(self.kind)}"><h2>{escape(self.heading)}</h2>{body}</section>'


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows. ``note`` stands below it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def html(self) -> str:
        """The table, escaped."""
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in self.header)
        body = "\n".join(_row(row) for row in self.rows)
        title = f"<h3>{escape(self.title)}</h3>\n" if self.title else ""
        note = f'\n<p class="note">{escape(self.note)}</p>' if self.note else ""
        table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        return f'{title}<div class="wide">{table}</div>{note}'


@dataclass(frozen=True)
class Image:
    """A PNG with a caption; ``name`` is its file name beside the page."""

    name: str
    title: str
    caption: str
    png: bytes

    def html(self) -> str:
        """The picture inside the page, as base64."""
        source = base64.b64encode(self.png).decode("ascii")
        title = f"<h3>{escape(self.title)}</h3>\n" if self.title else ""
        return (
            f'{title}<figure><img src="data:image/png;base64,{source}" alt="{escape(self.title)}">\n'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


Block = Text | Notice | Table | Image


@dataclass(frozen=True)
class PageSection:
    """A heading and what stands under it; left out of the page where that is nothing."""

    heading: str
    blocks: Sequence[Block]


def html_page(title: str, summary: Sequence[str], top: Sequence[Block], sections: Sequence[PageSection]) -> str:
    """The whole page as text.

    Args:
        title: the page's title.
        summary: the lines under the title, one per run.
        top: blocks before the first heading.
        sections: the rest, in order.
    """
    lines = "\n".join(f'<p class="summary">{escape(line)}</p>' for line in summary)
    parts = [block.html() for block in top]
    for section in sections:
        if section.blocks:
            parts += [f"<h2>{escape(section.heading)}</h2>", *(block.html() for block in section.blocks)]
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{lines}\n{body}\n</body>\n</html>\n"
    )


def _row(cells: Sequence[str]) -> str:
    rest = "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
    return f'<tr><th scope="row">{escape(cells[0])}</th>{rest}</tr>'
