"""The random state of a run's processes, which a resumed one takes over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ignite.distributed as idist
import torch


def random_state() -> dict[str, Any]:
    """The state of the generators that layers such as dropout draw from, (processes, bytes) each."""
    state = {"torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    if idist.get_world_size() > 1:
        return {name: idist.all_gather(value[None]).cpu() for name, value in state.items()}
    return {name: value[None] for name, value in state.items()}


def set_random_state(state: Mapping[str, torch.Tensor]) -> None:
    """Take over this process's part of what ``random_state`` gave; a process more than before keeps its own."""
    rank = idist.get_rank()
    if rank >= len(state["torch"]):
        return
    # Copies: the generators read a view from the start of its storage, not from its own.
    torch.set_rng_state(state["torch"][rank].clone())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"][rank].clone())
