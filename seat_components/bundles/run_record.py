"""``run.json``: which bundle, method and settings a run's other records belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist

from seat_components.training.files import write_text_atomically


def write_run_record(output_dir: str | Path, **values: Any) -> Mapping[str, Any]:
    """Write ``values`` (plain JSON values) as ``run.json`` in ``output_dir``, on the first process."""
    if idist.get_rank() == 0:
        write_text_atomically(json.dumps(values, indent=1) + "\n", Path(output_dir) / "run.json")
    return values
