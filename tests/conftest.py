"""Fixtures that several rooms' tests share: real data and MONAI Label where they are at hand, and a phantom."""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from seat_components.bundles.render import write_bundle
from seat_components.data import write_phantom
from seat_components.labelling.environment import is_complete, python_of
from seat_components.tasks import load_task

# A few inputs per law where tests run often; SEAT_FUZZ=fuzz tries many (`make fuzz`).
_SLOW_IS_FINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
settings.register_profile("ci", max_examples=25, derandomize=True, **_SLOW_IS_FINE)
settings.register_profile("fuzz", max_examples=1000, **_SLOW_IS_FINE)
settings.load_profile(os.environ.get("SEAT_FUZZ", "ci"))

_BESIDE_CHECKOUT = Path(__file__).parents[2] / "shared" / "data"
_LABEL_ENVIRONMENT = Path(os.environ.get("SEAT_LABEL_ENV", Path(__file__).parents[1] / ".venv-label"))


@pytest.fixture(autouse=True)
def loggers_that_speak() -> None:
    """A run inside a test's own process may configure logging for all tests after it.

    It silences loggers, and lets the root write into what was captured of that test, which is closed by now: each line
    of a log would come with a traceback.
    """
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("seat_components") and isinstance(logger, logging.Logger):
            logger.disabled, logger.propagate = False, True
            logger.setLevel(logging.NOTSET)
    # pytest's own handlers are of other types.
    for handler in [one for one in logging.root.handlers if type(one) is logging.StreamHandler]:
        logging.root.removeHandler(handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests come first: a long one at the end would leave all but one core without work."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def real_task04() -> Path:
    """The folder of the real Task04_Hippocampus; skips where it is absent."""
    data = Path(os.environ.get("SEAT_TEST_DATA", _BESIDE_CHECKOUT))
    folder = data / "Task04_Hippocampus"
    if not (folder / "dataset.json").is_file():
        pytest.skip(f"needs the real Task04_Hippocampus in {data}: set SEAT_TEST_DATA to its parent folder")
    return folder


@pytest.fixture(scope="session")
def task04_phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom of Task04 with four training and two validation cases; do not write to it."""
    folder = tmp_path_factory.mktemp("phantom") / "Task04_Hippocampus"
    write_phantom(load_task("Task04_Hippocampus"), folder, cases=(4, 2))
    return folder


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Task04 bundle, rendered for the tests, so that no test writes into the committed one."""
    return write_bundle("Task04_Hippocampus", tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="session")
def label_python() -> Path:
    """The interpreter of MONAI Label's environment; skips where it has not been made."""
    if not is_complete(_LABEL_ENVIRONMENT):
        pytest.skip(
            f"needs MONAI Label's environment in {_LABEL_ENVIRONMENT}: make label-env makes it, which needs the network"
        )
    return python_of(_LABEL_ENVIRONMENT.resolve())
