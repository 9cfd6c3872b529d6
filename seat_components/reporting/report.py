"""Put a report together from the records of one or several runs, and write it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seat_components.files import resolved
from seat_components.records.robustness import BUDGET_TOLERANCE
from seat_components.refusals import refuse
from seat_components.reporting import paper, shift_tables, tables
from seat_components.reporting.page import Block, Image, Notice, PageSection, Table, Text, html_page
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
        refuse("The report draws with matplotlib, which is not installed: pip install 'seat-components[report]'")
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
        PageSection("Cases", _each(pictures.cases(records))),
        PageSection("Cost and protocol", _each(*([tables.costs(run), tables.protocol(run)] for run in records))),
    ]
    top: list[Block] = [alarms(records), tables.key_numbers(records), *_each([missing(records)])]
    title = "SEAT report: " + ", ".join(dict.fromkeys(run.task or run.name for run in records))
    text = html_page(title, [summary(run) for run in records], top, sections)
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for block in section.blocks:
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


def summary(run: RunRecords) -> str:
    """One line on a run: task, method, data, weights, number of cases."""
    evaluated = run.evaluated_cases
    parts = [
        run.task,
        f"method {run.description.method}" if run.description.method else "",
        run.data,
        "weights " + ", ".join(sha[:12] for sha in run.weights) if run.weights else "",
        f"{len(evaluated)} cases" if evaluated is not None else "training only",
    ]
    return f"{run.name}: " + " · ".join(part for part in parts if part)


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
    if any(run.robustness for run in runs):
        return Notice("calm", "No sanity alarm was raised", [line for run in runs if (line := _examined(run))])
    return Notice("open", "Robustness was not measured, so no sanity check has been made", [])


def _examined(run: RunRecords) -> str:
    """Which alarms there was something to examine for, as silence about the others says nothing."""
    checked = run.robustness.alarms_checked if run.robustness else None
    if checked is None:
        return ""
    return f"{run.name}: examined and silent: " + (", ".join(checked) or "none") + "."


def missing(runs: Sequence[RunRecords]) -> Notice | None:
    """What this report cannot show, and why."""
    lines = [f"{run.name}: {line}" for run in runs for line in run.missing]
    return Notice("open", "Not in this report", lines) if lines else None


def _distinct_names(runs: Sequence[RunRecords]) -> list[RunRecords]:
    """The runs, with their folders behind names that several have, and numbers behind what is still the same."""
    names = [run.name for run in runs]
    folders = ["/".join(resolved(run.folder).parts[-2:]) for run in runs]
    longer = [f"{name} ({at})" if names.count(name) > 1 else name for name, at in zip(names, folders, strict=True)]
    final = [
        f"{name} {longer[:i].count(name) + 1}" if longer.count(name) > 1 else name for i, name in enumerate(longer)
    ]
    return [replace(run, name=name) for run, name in zip(runs, final, strict=True)]


def _each(*groups: Sequence[Block | None]) -> list[Block]:
    return [block for group in groups for block in group if block is not None]
