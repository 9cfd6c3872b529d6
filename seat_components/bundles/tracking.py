"""Experiment tracking with MLflow: asking for it where it is not installed, and ending the run of an evaluation."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.util import find_spec

from monai.handlers import MLFlowHandler

from seat_components.bundles.command_line import option_values
from seat_components.refusals import is_bundle_run, refuse

# What MONAI's handler uses: mlflow itself, and for its default, an SQLite file, what mlflow-skinny leaves out.
_CLIENT = ("mlflow",)
_DATABASE = ("sqlalchemy", "alembic")


def check_tracking() -> None:
    """Refuse ``--tracking mlflow`` where a package that it needs is not installed.

    MONAI finds that out while it builds the trainer, in the middle of a config. Like the guard against misspelt
    overrides this reads the command line, and only under ``python -m monai.bundle run``.

    Raises:
        SystemExit: naming what is missing and the command that installs it.
    """
    if not is_bundle_run() or option_values(sys.argv[2:], "tracking") != ["mlflow"]:
        return
    remote = any(uri.startswith("http") for uri in option_values(sys.argv[2:], "tracking_uri"))
    missing = [name for name in (*_CLIENT, *(() if remote else _DATABASE)) if find_spec(name) is None]
    if missing:
        refuse(
            f"--tracking mlflow needs {', '.join(missing)}, not installed here. Install MLflow "
            "(pip install 'seat-components[tracking]', or pip install mlflow for its web page too), or leave "
            "--tracking out: TensorBoard's files and training_history.csv are written in any case."
        )


def end_tracking(handlers: Iterable[object] | None) -> None:
    """Mark the MLflow run of an evaluation as finished.

    MONAI leaves a validator's run open, for the trainer to end. Where there is no trainer nobody would, and MONAI
    would write the next run into it.
    """
    for handler in handlers or ():
        if isinstance(handler, MLFlowHandler):
            handler.close()
