"""``run.json``: which bundle, method and settings a run's other records belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ignite.distributed as idist

from seat_components.evaluation.identity import data_description
from seat_components.records.model import validated, write_record
from seat_components.records.run import FILE, RunDescription


def write_run_record(output_dir: str | Path, dataset_dir: str | Path, **values: Any) -> None:
    """Write ``run.json`` in ``output_dir``, on the first process.

    Args:
        output_dir: the run's output folder.
        dataset_dir: what its dataset.json says about the data is written, too.
        values: what else ``RunDescription`` says.
    """
    path = Path(output_dir) / FILE
    record = validated(RunDescription, {**values, "data": data_description(dataset_dir)}, str(path))
    if idist.get_rank() == 0:
        write_record(record, path)
