"""The commands ``label-env`` and ``label``: MONAI Label."""

from __future__ import annotations

import argparse
from pathlib import Path

from seat_components.commands.command import Command, path, whole_number

_ENVIRONMENT = Path(".venv-label")


def _label_env_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--env", type=path, default=_ENVIRONMENT, help="its folder (%(default)s)")


def _label_env(options: argparse.Namespace) -> None:
    from seat_components.labelling.commands import write_environment

    write_environment(options.env)


LABEL_ENV_COMMAND = Command("make MONAI Label's environment (network; minutes)", _label_env_options, _label_env)


def _label_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tasks", nargs="+", required=True, help="tasks or bundles, by name or folder")
    parser.add_argument("--studies", required=True, type=path, metavar="DIR", help="the images to label")
    parser.add_argument("--env", type=path, default=_ENVIRONMENT, help="MONAI Label's environment (%(default)s)")
    parser.add_argument("--bundles", type=path, default=Path("bundles"), help="folder of the bundles (%(default)s)")
    parser.add_argument("--app", type=path, default=Path("runs/label"), help="where copies are served and trained")
    parser.add_argument("--port", type=whole_number(1, 65535), default=8000, help="%(default)s")
    parser.add_argument("--init", action="store_true", help="write untrained weights where a bundle has none")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="ID=VALUE", help="values for the copies' configs, in JSON"
    )
    parser.add_argument("--allow-host", nargs="+", default=[], metavar="NAME", help="a proxy's name for this server")
    parser.add_argument("--allow-origin", nargs="+", default=[], metavar="URL", help="a page that may ask")


def _label(options: argparse.Namespace) -> None:
    from seat_components.labelling.commands import serve

    folders = {"environment": options.env, "bundles": options.bundles, "studies": options.studies, "app": options.app}
    names = {"hosts": options.allow_host, "origins": options.allow_origin}
    serve(tasks=options.tasks, port=options.port, init=options.init, settings=options.set, **names, **folders)


LABEL_COMMAND = Command("serve bundles with MONAI Label, on this machine only", _label_options, _label)
