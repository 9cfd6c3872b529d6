"""What a task's preprocessed volumes need in memory or on disk, and the share that is cached by default."""

from __future__ import annotations

import math

from seat_components.files import GIB
from seat_components.tasks import Task

# What cached volumes may take by default: a sixth of a 24 GB machine, which leaves the rest to the training step.
CACHE_BYTES = 4 * GIB
_IMAGE_BYTES, _LABEL_BYTES = 4, 1
# Training cuts longer volumes to this many slices; a published median of the cap stands for any length above it.
_MOST_SLICES, _CAPPED_MEDIAN = 300, 160


def case_bytes(task: Task) -> int:
    """Bytes of one preprocessed case of median size: float32 per channel and voxel, and uint8 for the label.

    Where the published median is capped at 160 slices, 300 are reckoned, the longest volume that training keeps.
    """
    *plane, depth = task.median_size
    slices = _MOST_SLICES if depth >= _CAPPED_MEDIAN else depth
    return round(math.prod(plane) * slices * (_IMAGE_BYTES * len(task.modalities) + _LABEL_BYTES))


def default_cache_rate(task: Task, cases: int) -> float:
    """The share of a fold's ``cases`` that fits into ``CACHE_BYTES``, rounded down to hundredths."""
    return min(1.0, math.floor(100 * CACHE_BYTES / (cases * case_bytes(task))) / 100)
