"""The command ``report``: a page from the records of runs."""

from __future__ import annotations

import argparse

from seat_components.commands.command import Command, path


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", type=path, metavar="RUN", help="an output_dir of a bundle")
    parser.add_argument("--out", type=path, help="folder of the report (the first RUN)")


def _run(options: argparse.Namespace) -> None:
    from seat_components.reporting import write_report

    print(write_report(options.runs, options.out))


REPORT_COMMAND = Command("write report.html from the records of runs", _options, _run)
