"""The commands ``weights`` and ``zips``: which weights there are, and bundles as archives."""

from __future__ import annotations

import argparse
from pathlib import Path

from seat_components.commands.command import Command, path, whole_number


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


WEIGHTS = Command("list the bundles' weights; verify, convert, or write untrained ones", _weights_options, _weights)


def _zips_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundles", type=path, default=Path("bundles"), help="folder of the bundles (%(default)s)")
    parser.add_argument("--out", type=path, default=Path("dist"), help="folder of the zips (%(default)s)")


def _zips(options: argparse.Namespace) -> None:
    from seat_components.weights import zip_bundles

    for archive in zip_bundles(options.out, options.bundles):
        print(archive)


ZIPS = Command("zip each bundle, to the same bytes every time", _zips_options, _zips)
