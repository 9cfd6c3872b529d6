"""The commands ``bundles`` and ``card``: rendering, and what a card says of shipped weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from seat_components.commands.command import Command, path
from seat_components.refusals import refuse


def _bundles_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tasks", nargs="+", help="for example Task04_Hippocampus (all ten)")
    parser.add_argument("--out", type=path, default=Path("bundles"), help="folder of the bundles (%(default)s)")


def _bundles(options: argparse.Namespace) -> None:
    from seat_components.bundles.render import write_bundle
    from seat_components.tasks import all_tasks

    for task in options.tasks or all_tasks():
        print(write_bundle(task, options.out))


BUNDLES_COMMAND = Command("render bundles from the template and the task table", _bundles_options, _bundles)


def _card_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", required=True, help="for example Task04_Hippocampus")
    parser.add_argument("--run", required=True, type=path, help="output_dir with metrics.json and robustness.json")
    parser.add_argument("--method", help="for example SEAT")
    parser.add_argument("--file", default="model.pt", help="name in the bundle's models/ (%(default)s)")
    parser.add_argument("--training", required=True, help="how they were trained, with the command")
    parser.add_argument("--attacks-only", action="store_true", help="add a protocol; --training is then its command")
    parser.add_argument("--url", help="where the weights are, if they are not in git; goes to large_files.yml")
    parser.add_argument("--out", type=path, default=Path("bundles"), help="folder of the bundles (%(default)s)")


def _card(options: argparse.Namespace) -> None:
    from seat_components.bundles.render import write_bundle
    from seat_components.bundles.results import add_protocol, collect_result, write_result
    from seat_components.tasks import load_task

    task = load_task(options.task)
    if not options.attacks_only and options.method is None:
        refuse("--method is missing: how were the weights trained, for example SEAT?")
    if options.attacks_only:
        add_protocol(task, options.run, options.file, options.training)
    else:
        result = collect_result(options.run, options.method, options.file, options.training, options.url or "")
        write_result(task, result)
    print(write_bundle(task, options.out))


CARD_COMMAND = Command(
    "put the evaluation of shipped weights into the bundle's card and metadata", _card_options, _card
)
