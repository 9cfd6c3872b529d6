"""Experiment tracking with MLflow: asking for it where it is not installed, and ending the run of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from monai.handlers import MLFlowHandler

from seat_components.running.command_line import Given

# What MONAI's handler uses: mlflow itself, and for its default, an SQLite file, what mlflow-skinny leaves out.
_CLIENT = ("mlflow",)
_DATABASE = ("sqlalchemy", "alembic")


def tracking_faults(given: Given) -> list[str]:
    """What ``--tracking mlflow`` needs that is not installed, and the command that installs it, in one line.

    MONAI finds that out while it builds the trainer, in the middle of a config.
    """
    if given.options.get("tracking") != "mlflow":
        return []
    remote = str(given.options.get("tracking_uri", "")).startswith("http")
    missing = [name for name in (*_CLIENT, *(() if remote else _DATABASE)) if find_spec(name) is None]
    if not missing:
        return []
    return [
        f"--tracking mlflow needs {', '.join(missing)}, not installed here. Install MLflow "
        "(pip install mlflow-skinny sqlalchemy alembic, or pip install mlflow for its web page too), or leave "
        "--tracking out: TensorBoard's files and training_history.csv are written in any case."
    ]


def end_tracking(handlers: Iterable[object] | None) -> None:
    """Mark the MLflow run of an evaluation as finished.

    MONAI leaves a validator's run open, for the trainer to end. Where there is no trainer nobody would, and MONAI
    would write the next run into it.
    """
    for handler in handlers or ():
        if isinstance(handler, MLFlowHandler):
            handler.close()
