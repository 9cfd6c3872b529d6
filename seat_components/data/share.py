"""Which validation cases are this process's own, in a run of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import ignite.distributed as idist

C = TypeVar("C")


def own_share(cases: Sequence[C]) -> Sequence[C]:
    """Each n-th of ``cases``, beginning with this process's own number, so that it reads and caches no other.

    Of fewer cases than processes each process takes all: their mean is the same, and none waits for a process that has
    nothing to say.
    """
    processes = idist.get_world_size()
    return cases[idist.get_rank() :: processes] if len(cases) >= processes else cases
