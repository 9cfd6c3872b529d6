"""One full report of two runs, drawn once for all tests that only read it."""

from __future__ import annotations

import pytest
from fabricated_records import WrittenReport, write_run

from seat_components.reporting import read_run, write_report


@pytest.fixture(scope="session")
def written_report(tmp_path_factory: pytest.TempPathFactory) -> WrittenReport:
    folder = tmp_path_factory.mktemp("reports")
    runs = [write_run(folder / "seat", "SEAT", epochs=60), write_run(folder / "clean", "clean", epochs=120, seed=1)]
    page = write_report(runs, folder / "out" / "report")
    return WrittenReport([read_run(run) for run in runs], page, page.read_text(encoding="utf-8"))
