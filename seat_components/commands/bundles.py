"""Commands about bundles: rendering, options, what a card says of shipped weights, which weights there are, zips."""

from __future__ import annotations

import argparse
from pathlib import Path

from seat_components.commands.command import Command, path, whole_number
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


def _options_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", nargs="?", metavar="BUNDLE", help="the bundle's folder, or its name")


def _options(options: argparse.Namespace) -> None:
    from seat_components.launching.folders import bundle_folder, usual_places

    bundle = bundle_folder(options.bundle, *usual_places())

    from seat_components.running.option_list import bundle_options

    print(bundle_options(bundle))


OPTIONS_COMMAND = Command(
    "list every option of a bundle's configs: meaning, default, range, unit", _options_options, _options
)


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


def _weights_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundles", type=path, default=Path("bundles"), help="folder of the bundles (%(default)s)")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--verify", action="store_true", help="check the files' hashes")
    action.add_argument("--init", metavar="BUNDLE", help="write seeded, untrained weights as its models/model.pt")
    action.add_argument("--convert", type=path, metavar="FILE", help="make a bundle's weights of a checkpoint")
    action.add_argument("--restore", metavar="BUNDLE", help="bring shipped weights back that a training has replaced")
    parser.add_argument("--seed", type=whole_number(0, 2**32 - 1), default=0, help="of --init (%(default)s)")
    parser.add_argument("--bundle", help="whose network --convert checks against: folder, or name")
    parser.add_argument("--out", type=path, metavar="FILE", help="of --convert (models/model_<name>.pt of the bundle)")


def _weights(options: argparse.Namespace) -> None:
    from seat_components.weights import commands

    if options.init is not None:
        commands.write_untrained(options.init, options.bundles, options.seed)
    elif options.convert is not None:
        commands.convert(options.convert, options.bundle, options.bundles, options.out)
    elif options.restore is not None:
        commands.restore(options.restore, options.bundles)
    elif options.verify:
        commands.verify_weights(options.bundles)
    else:
        commands.list_weights(options.bundles)


WEIGHTS_COMMAND = Command(
    "list the bundles' weights; verify, convert, or write untrained ones", _weights_options, _weights
)


def _zips_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundles", type=path, default=Path("bundles"), help="folder of the bundles (%(default)s)")
    parser.add_argument("--out", type=path, default=Path("dist"), help="folder of the zips (%(default)s)")
    parser.add_argument(
        "--hub", type=path, metavar="FOLDER", help="instead, lay each out for push_to_hf_hub below FOLDER"
    )


def _zips(options: argparse.Namespace) -> None:
    from seat_components.weights import hub_folders, zip_bundles

    if options.hub is not None:
        written = hub_folders(options.hub, options.bundles)
    else:
        written = zip_bundles(options.out, options.bundles)
    for archive in written:
        print(archive)


ZIPS_COMMAND = Command("zip each bundle, to the same bytes every time, or lay it out for a hub", _zips_options, _zips)
