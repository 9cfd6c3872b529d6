"""The command ``phantom``: a small dataset of phantoms."""

from __future__ import annotations

import argparse

from seat_components.commands.command import Command, path, whole_number


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", required=True, help="for example Task04_Hippocampus")
    parser.add_argument("--out", required=True, type=path, help="a new folder")
    parser.add_argument("--training", type=whole_number(1, 10_000), default=12, help="training cases (%(default)s)")
    parser.add_argument("--validation", type=whole_number(1, 10_000), default=4, help="validation cases (%(default)s)")
    parser.add_argument("--seed", type=whole_number(0, 2**32 - 1), default=0)


def _run(options: argparse.Namespace) -> None:
    from seat_components.data import phantom

    folder = phantom(options.task, options.out, (options.training, options.validation), options.seed)
    print(f"Wrote {options.training + options.validation} phantom cases of {options.task} to {folder}.")


PHANTOM = Command("write a small MSD folder of phantoms that a network can learn", _options, _run)
