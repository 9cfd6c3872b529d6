"""What inferences have written into a folder before, as its ``volumes.json`` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seat_components.files import is_file, resolved

VOLUMES = "volumes.json"
"""What an inference writes beside its masks: a folder that holds one is no folder of scans."""


def earlier_masks(folder: Path) -> dict[str, dict[str, Any]]:
    """Mask → its entry in the folder's ``volumes.json``, of those masks that are still there.

    An entry of other weights than the record's newest says so itself, under ``weights``. What is no such record, or
    cannot be read, says nothing.
    """
    try:
        content = json.loads((folder / VOLUMES).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    content = content if isinstance(content, dict) else {}
    cases, weights = content.get("cases"), content.get("weights")
    known = [case for case in cases if _is_entry(case)] if isinstance(cases, list) else []
    return {case["mask"]: {"weights": weights, **case} for case in known if is_file(folder / case["mask"])}


def is_mask_of(entry: dict[str, Any], scan: Path) -> bool:
    """Whether an entry is of this scan, by its path."""
    return resolved(entry["scan"]) == resolved(scan)


def _is_entry(case: Any) -> bool:
    return isinstance(case, dict) and all(isinstance(case.get(name), str) for name in ("mask", "scan"))
