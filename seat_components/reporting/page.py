"""The report as one HTML page: blocks of text, tables and embedded pictures; no network, and no script but our own."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str

    def html(self) -> str:
        """The paragraph, escaped."""
        return f"<p>{escape(self.text)}</p>"


@dataclass(frozen=True)
class Finding:
    """What was found of each run, (name, sentences); ``limits`` stands below, smaller."""

    found: Sequence[tuple[str, str]]
    limits: str

    def html(self) -> str:
        """The sentences, escaped."""
        said = "\n".join(
            f'<p class="finding"><strong>{escape(name)}</strong>: {escape(said)}</p>' for name, said in self.found
        )
        return f'{said}\n<p class="note">{escape(self.limits)}</p>' if self.limits else said


@dataclass(frozen=True)
class Notice:
    """A box with a heading, unless that is empty, and a list of lines; ``kind`` is alarms, calm or open."""

    kind: str
    heading: str
    lines: Sequence[str]

    def html(self) -> str:
        """The box, escaped."""
        lines = "".join(f"<li>{escape(line)}</li>" for line in self.lines)
        body = f"<ul>{lines}</ul>" if lines else ""
        heading = f"<h2>{escape(self.heading)}</h2>" if self.heading else ""
        return f'<section class="{escape(self.kind)}">{heading}{body}</section>'


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows. ``note`` stands below it; ``sorts``: by a press on a heading."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    sorts: bool = False

    def html(self) -> str:
        """The table, escaped."""
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in self.header)
        body = "\n".join(_row(row) for row in self.rows)
        title = f"<h3>{escape(self.title)}</h3>\n" if self.title else ""
        note = f'\n<p class="note">{escape(self.note)}</p>' if self.note else ""
        kind = ' class="sorts"' if self.sorts else ""
        table = f"<table{kind}>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
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
            f'{title}<figure><img src="data:image/png;base64,{source}" alt="{escape(self.title or self.caption)}">\n'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


Block = Text | Finding | Notice | Table | Image


@dataclass(frozen=True)
class PageSection:
    """A heading and what stands under it; left out of the page where that is nothing."""

    heading: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """What a link to it is called."""
        return re.sub(r"[^a-z]+", "-", self.heading.lower())


def html_page(title: str, first: Sequence[Block], numbers: Sequence[Block], sections: Sequence[PageSection]) -> str:
    """The whole page as text.

    Args:
        title: the page's title.
        first: blocks before the list of contents.
        numbers: blocks after it, before the first heading.
        sections: the rest, in order; those with blocks stand in the list.
    """
    style, script = (files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    # A browser runs and loads nothing else, whatever stands in the records.
    policy = f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    shown = [section for section in sections if section.blocks]
    links = "".join(f'<li><a href="#{section.anchor}">{escape(section.heading)}</a></li>' for section in shown)
    parts = [
        *(block.html() for block in first),
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>',
        *(block.html() for block in numbers),
    ]
    for section in shown:
        heading = f'<h2 id="{section.anchor}">{escape(section.heading)}</h2>'
        parts += [heading, *(block.html() for block in section.blocks)]
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _row(cells: Sequence[str]) -> str:
    rest = "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
    return f'<tr><th scope="row">{escape(cells[0])}</th>{rest}</tr>'
