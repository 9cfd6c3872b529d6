"""Put a report together from the records of one or several runs, and write it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seat_components.files import resolved
from seat_components.records.alarm_names import ALARM_NAMES
from seat_components.records.robustness import BUDGET_TOLERANCE
from seat_components.refusals import refuse
from seat_components.reporting import paper, shift_tables, tables
from seat_components.reporting.case_table import case_table
from seat_components.reporting.findings import findings, limits
from seat_components.reporting.page import Block, Finding, Image, Notice, PageSection, Table, Text, html_page
from seat_components.reporting.records import RunRecords, read_run

_PAGE = "report.html"
_PICTURE_PREFIX = "report_"


def write_report(runs: Sequence[Path], out: Path | None = None) -> Path:
    """Write ``report.html``, which holds all its pictures, and the same pictures as ``report_*.png`` beside it.

    Args:
        runs: output folders of runs; each may have only some of the records.
        out: the folder to write to, made where it is absent; by default the first run's.

    Returns:
        The path of ``report.html``.

    Raises:
        RefusalError: if no run is named, a run has no record at all, a record is malformed, ``out`` is a file, or
            matplotlib is not installed. Nothing is written then.
    """
    if not runs:
        refuse("No run is named: name at least one output_dir to report on")
    if importlib.util.find_spec("matplotlib") is None:
        refuse("The report draws with matplotlib, which is not installed: pip install matplotlib")
    # Here and not at the top: matplotlib is an optional extra, which importing this package must not need.
    from seat_components.reporting import pictures  # noqa: PLC0415

    folder = Path(runs[0]) if out is None else Path(out)
    if folder.exists() and not folder.is_dir():
        refuse(f"{folder} is a file, but the report needs a folder for its page and pictures")
    records = _distinct_names([read_run(Path(run)) for run in runs])
    sizes = [tables.size_table(run) for run in records]
    sections = [
        PageSection("Training", _each(pictures.training(records), [tables.backpropagations_table(records)])),
        PageSection("Clean accuracy", _each([tables.clean_metrics(run) for run in records])),
        PageSection("Robustness", _each(pictures.robustness(records), _attack_tables(records), sizes)),
        PageSection("Corruptions", _each([shift_tables.corruption_table(run) for run in records])),
        PageSection("Certificates", _each([shift_tables.certificate_table(run) for run in records])),
        PageSection("Cases", _each(pictures.cases(records), [case_table(run) for run in records])),
        PageSection("Cost and protocol", _each(*([tables.costs(run), tables.protocol(run)] for run in records))),
        PageSection("Not in this report", _each([missing(records)])),
    ]
    found, notice = _each([_found(records), pictures.finding(records)]), alarms(records)
    # What rings is read before any figure; what is silent says how far the figures were examined.
    first = [notice, *found] if notice.kind == "alarms" else [*found, notice]
    title = "SEAT report: " + ", ".join(dict.fromkeys(run.task or run.name for run in records))
    text = html_page(title, first, [tables.key_numbers(records)], sections)
    folder.mkdir(parents=True, exist_ok=True)
    for block in (*first, *(block for section in sections for block in section.blocks)):
        if isinstance(block, Image):
            (folder / f"{_PICTURE_PREFIX}{block.name}.png").write_bytes(block.png)
    page = folder / _PAGE
    page.write_bytes(text.encode("utf-8", "replace"))
    return page


def _attack_tables(runs: Sequence[RunRecords]) -> list[Text | Table]:
    """Dice by attack of each run, and once what makes the paper's values beside them different."""
    found = [table for run in runs if (table := tables.attack_table(run))]
    beside = any(run.robustness and tables.is_beside_paper(run, run.robustness) for run in runs)
    return [*found, Text(paper.WHAT_DIFFERS)] if beside else list(found)


def _found(runs: Sequence[RunRecords]) -> Finding | None:
    """What was found of each run, and what that does not say; None where there is nothing to say."""
    said = [(run.name, " ".join(lines)) for run in runs if (lines := findings(run))]
    return Finding(said, limits(runs)) if said else None


def alarms(runs: Sequence[RunRecords]) -> Notice:
    """The sanity alarms of every evaluation, and those that the records themselves give cause for."""
    lines = []
    for run in runs:
        found = [str(alarm) for alarm in run.robustness.alarms] if run.robustness else []
        if run.robustness and run.robustness.largest_linf > 1 + BUDGET_TOLERANCE:
            found.append(f"the budget was exceeded: |adv − x| reached {run.robustness.largest_linf:.6f} times ε_b")
        if len(run.weights) > 1:
            found.append("its records are of different weights; they do not belong together")
        lines += [f"{run.name}: {line}" for line in found]
    if lines:
        return Notice("alarms", "Alarms: read these before any robust number", lines)
    attacked = [run for run in runs if run.robustness]
    if not attacked:
        return Notice("open", "Robustness was not measured, so no sanity check has been made", [])
    by_line: dict[str, list[str]] = {}
    for run in attacked:
        by_line.setdefault(_examined(run), []).append(run.name)
    lines = [f"{', '.join(names)}: {line}" for line, names in by_line.items()]
    if all(set(ALARM_NAMES) <= set(_checked(run) or ()) for run in attacked):
        return Notice("calm", "Every alarm was examined, and none was raised", lines)
    return Notice("open", "No alarm was raised among those that could be examined", lines)


def _checked(run: RunRecords) -> Sequence[str] | None:
    """The alarms that there was something to examine for; None where that is not written."""
    return run.robustness.alarms_checked if run.robustness else None


def _examined(run: RunRecords) -> str:
    """Which alarms are silent, and which say nothing as there was nothing to examine."""
    checked = _checked(run)
    if checked is None:
        return "its record does not say which alarms were examined."
    without = [name for name in ALARM_NAMES if name not in checked]
    silent = "examined and silent: " + (", ".join(checked) or "none") + "."
    return silent + (f" Not examined: {', '.join(without)}." if without else "")


def missing(runs: Sequence[RunRecords]) -> Notice | None:
    """What this report cannot show, and why."""
    names: dict[str, list[str]] = {}
    for run in runs:
        for line in run.missing:
            names.setdefault(line, []).append(run.name)
    lines = [f"{', '.join(of)}: {line}" for line, of in names.items()]
    return Notice("open", "", lines) if lines else None


def _distinct_names(runs: Sequence[RunRecords]) -> list[RunRecords]:
    """The runs, by their methods where these are known and differ; else all by folder, the method before it.

    As much of each folder's path is named as tells it from the others; a folder that is named twice has a number.
    """
    methods = [run.description.method for run in runs]
    if all(methods) and len(set(methods)) == len(runs):
        return list(runs)
    folders = [resolved(run.folder).parts for run in runs]
    depth = next(n for n in range(1, 1 + max(map(len, folders))) if len({f[-n:] for f in folders}) == len(set(folders)))
    names = ["/".join(folder[-depth:]) for folder in folders]
    named = [f"{method} ({name})" if method else name for method, name in zip(methods, names, strict=True)]
    final = [f"{name} {named[: i + 1].count(name)}" if named.count(name) > 1 else name for i, name in enumerate(named)]
    return [replace(run, name=name) for run, name in zip(runs, final, strict=True)]


def _each(*groups: Sequence[Block | None]) -> list[Block]:
    return [block for group in groups for block in group if block is not None]
