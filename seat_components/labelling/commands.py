"""The commands ``label-env`` and ``label``: MONAI Label's environment, and its server for a person."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seat_components.labelling.app import make_app
from seat_components.labelling.environment import check_platform, is_complete, make_environment, python_of, sample_app
from seat_components.labelling.names import check_names
from seat_components.labelling.server import LabelServer
from seat_components.launching import bundle_folder
from seat_components.refusals import refuse
from seat_components.weights import is_untrained


def write_environment(folder: Path) -> None:
    """Make MONAI Label's environment, or say that it is there."""
    print(f"MONAI Label's environment is ready: {make_environment(folder.resolve())}")


def serve(
    environment: Path,
    tasks: Sequence[str],
    bundles: Path,
    studies: Path,
    app: Path,
    port: int,
    init: bool = False,
    settings: Iterable[str] = (),
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
) -> None:
    """Serve bundles until the user ends it with Ctrl-C, or a service manager with SIGTERM.

    Args:
        environment: folder of MONAI Label's environment.
        tasks: tasks or bundles, by name or folder.
        bundles: where bundles are looked for by name.
        studies: folder of the images.
        app: folder of the app; its copies of bundles, trained or not, are used again.
        port: where to listen.
        init: write untrained weights for bundles that have none.
        settings: ``id=value`` for the copies' configs, with the value in JSON.
        hosts: further names of the server that requests may state, such as that of a proxy in front of it.
        origins: pages of other servers that may ask.

    Raises:
        RefusalError: if the environment, a bundle or the folder of images is missing, or the server does not start.
    """
    check_platform()
    check_names(hosts, origins)
    if not is_complete(environment.resolve()):
        refuse(f"{environment} is no finished environment of MONAI Label. Make it first: make label-env")
    if not studies.is_dir():
        refuse(f"{studies} is not a folder. STUDIES must be a folder with the images to label, such as NIfTI files.")
    python = python_of(environment.resolve())
    folders = [bundle_folder(task, bundles) for task in tasks]
    models = make_app(sample_app(python), app.resolve(), folders, init, dict(map(_setting, settings)))
    for model in models:
        weights = app.resolve() / "model" / model / "models" / "model.pt"
        print(f"{model}: {'UNTRAINED (random) weights' if is_untrained(weights) else weights}")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with LabelServer(python, app.resolve(), studies.resolve(), models, port, hosts, origins) as server:
            print(f"\nMONAI Label is ready: {server.address}  (log: {server.log})\nEnd it with Ctrl-C.", flush=True)
            server.wait()
    except KeyboardInterrupt:
        print("\nThe server was ended.")
    finally:
        signal.signal(signal.SIGTERM, before)


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        refuse(f"'{text}' is no setting: write id=value with the value in JSON, such as val_patch_size=[64,64,32].")
