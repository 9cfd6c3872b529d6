"""The laws about what comes from outside, with many more inputs than a test run has time for: ``make fuzz``.

Prints how many inputs were tried, how many of them the package refused in words, and how many broke a law: a traceback,
a wrong result in silence, a hang (a test that runs longer than ``faulthandler_timeout`` ends the whole run), code of a
stranger that ran.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Laws about files, records, plans, values, weights and requests. Others, which train or predict with each input, have
# enough with the inputs that a test run gives them.
PATHS = (
    "data/test_damage.py",
    "data/test_disk_cache.py",
    "data/test_nifti.py",
    "data/test_reading.py",
    "data/test_stated_geometry.py",
    "weights/test_archives.py",
    "labelling/test_guard.py",
    "labelling/test_guard_names.py",
    "networks/test_weight_damage.py",
    "records",
    "training/test_damaged_checkpoint.py",
    "user_path/test_pages.py",
)


class Counter:
    """A pytest plugin that counts what hypothesis and the package's refusals say."""

    def __init__(self) -> None:
        self.laws = self.tries = self.refusals = 0
        self.faults: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Only the laws."""
        items[:] = [item for item in items if getattr(getattr(item, "obj", None), "is_hypothesis_test", False)]
        self.laws = len(items)

    def pytest_configure(self) -> None:
        """Count every refusal, whoever catches it."""
        from seat_components.refusals import RefusalError  # noqa: PLC0415

        made = RefusalError.__init__

        def count(error: RefusalError, message: str) -> None:
            self.refusals += 1
            made(error, message)

        RefusalError.__init__ = count  # type: ignore[method-assign]

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """What one law's test says of itself."""
        if call.when != "call":
            return
        statistics = str(getattr(item, "hypothesis_statistics", ""))
        for passing, failing in re.findall(r"(\d+) passing, (\d+) failing", statistics):
            self.tries += int(passing) + int(failing)
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            self.faults.append(item.nodeid)


def main() -> int:
    """Run all laws; gives the number of those that were broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", help="test files (those about input from outside)")
    chosen = parser.parse_args()
    os.environ["SEAT_FUZZ"] = "fuzz"
    counter, began = Counter(), time.monotonic()
    words = [
        "-q",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        "--hypothesis-show-statistics",
        *(chosen.paths or (str(TESTS / path) for path in PATHS)),
    ]
    status = pytest.main(words, plugins=[counter])
    seconds = time.monotonic() - began
    print(
        f"{counter.laws} laws, {counter.tries} inputs tried, {counter.refusals} refusals, {len(counter.faults)} laws "
        f"broken, in {seconds:.0f} s"
    )
    for name in counter.faults:
        print(f"  broken: {name}")
    return int(status not in (pytest.ExitCode.OK,))


if __name__ == "__main__":
    sys.exit(main())
