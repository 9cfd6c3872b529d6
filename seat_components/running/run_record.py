"""``run.json``: which bundle, method and settings a run's other records belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist

from seat_components.evaluation.identity import data_description
from seat_components.files import write_text_atomically


def write_run_record(output_dir: str | Path, dataset_dir: str | Path, **values: Any) -> Mapping[str, Any]:
    """Write ``run.json`` in ``output_dir``, on the first process.

    Args:
        output_dir: the run's output folder.
        dataset_dir: what its dataset.json says about the data is written, too.
        values: plain JSON values.
    """
    values["data"] = data_description(dataset_dir)
    if idist.get_rank() == 0:
        write_text_atomically(json.dumps(values, indent=1) + "\n", Path(output_dir) / "run.json")
    return values
