"""Commands about datasets: phantoms, and the plan and the bundle for one's own."""

from __future__ import annotations

import argparse

from seat_components.commands.command import Command, path, whole_number


def _phantom_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", required=True, help="for example Task04_Hippocampus")
    parser.add_argument("--out", required=True, type=path, help="a new folder")
    parser.add_argument("--training", type=whole_number(1, 10_000), default=12, help="training cases (%(default)s)")
    parser.add_argument("--validation", type=whole_number(1, 10_000), default=4, help="validation cases (%(default)s)")
    parser.add_argument("--seed", type=whole_number(0, 2**32 - 1), default=0)


def _phantom(options: argparse.Namespace) -> None:
    from seat_components.data import phantom

    folder = phantom(options.task, options.out, (options.training, options.validation), options.seed)
    print(f"Wrote {options.training + options.validation} phantom cases of {options.task} to {folder}.")


PHANTOM_COMMAND = Command("write a small MSD folder of phantoms that a network can learn", _phantom_options, _phantom)


def _plan_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True, type=path, metavar="DIR", help="the folder with dataset.json")
    parser.add_argument("--out", type=path, metavar="FILE", help="where to write the plan (printed)")
    parser.add_argument(
        "--workers", type=whole_number(1, 1024), metavar="N", help="cases measured at a time (cores, up to 4)"
    )


def _plan(options: argparse.Namespace) -> None:
    from seat_components.planning.commands import write_plan

    write_plan(options.dataset, options.out, options.workers)


PLAN_COMMAND = Command("measure a dataset in MSD layout, and plan how to train on it", _plan_options, _plan)


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


NEW_BUNDLE_COMMAND = Command(
    "plan for a dataset, and write a bundle that trains on it", _new_bundle_options, _new_bundle
)
