"""The command ``demo``: what ``make run`` does."""

from __future__ import annotations

import argparse

from seat_components.commands.command import Command, path, whole_number


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", required=True, type=path)
    parser.add_argument("--out", required=True, type=path)
    parser.add_argument("--data", type=path, help="an MSD task folder (phantoms)")
    parser.add_argument("--epochs", type=whole_number(1, 10**6), default=12, help="%(default)s")


def _run(options: argparse.Namespace) -> None:
    from seat_components.demo import run_demo

    run_demo(options.bundle, options.out, options.data, options.epochs)


DEMO = Command("what `make run` does: train, evaluate, attack, report", _options, _run)
