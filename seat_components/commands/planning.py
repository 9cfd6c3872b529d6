"""The commands ``plan`` and ``new-bundle``: a dataset of one's own."""

from __future__ import annotations

import argparse

from seat_components.commands.command import Command, path, whole_number


def _plan_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True, type=path, metavar="DIR", help="the folder with dataset.json")
    parser.add_argument("--out", type=path, metavar="FILE", help="where to write the plan (printed)")
    parser.add_argument(
        "--workers", type=whole_number(1, 1024), metavar="N", help="cases measured at a time (cores, up to 4)"
    )


def _plan(options: argparse.Namespace) -> None:
    from seat_components.planning.commands import write_plan

    write_plan(options.dataset, options.out, options.workers)


PLAN = Command("measure a dataset in MSD layout, and plan how to train on it", _plan_options, _plan)


def _new_bundle_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True, type=path, metavar="DIR", help="the folder with dataset.json")
    parser.add_argument("--name", required=True, help="the bundle's name, such as abdomen_ct")
    parser.add_argument("--out", required=True, type=path, metavar="DIR", help="where the bundle's folder is made")
    parser.add_argument(
        "--workers", type=whole_number(1, 1024), metavar="N", help="cases measured at a time (cores, up to 4)"
    )


def _new_bundle(options: argparse.Namespace) -> None:
    from seat_components.planning.commands import write_new_bundle

    write_new_bundle(options.dataset, options.name, options.out, options.workers)


NEW_BUNDLE = Command("plan for a dataset, and write a bundle that trains on it", _new_bundle_options, _new_bundle)
