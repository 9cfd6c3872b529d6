"""MONAI Label's environment, for the tests that drive the real server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seat_components.labelling.environment import is_complete, python_of

_FOLDER = Path(os.environ.get("SEAT_LABEL_ENV", Path(__file__).parents[2] / ".venv-label"))


@pytest.fixture(scope="session")
def label_python() -> Path:
    """The interpreter of MONAI Label's environment; skips where it has not been made."""
    if not is_complete(_FOLDER):
        pytest.skip(f"needs MONAI Label's environment in {_FOLDER}: make label-env makes it, which needs the network")
    return python_of(_FOLDER.resolve())
