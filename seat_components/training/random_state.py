"""The random state of a run's processes, which a resumed one takes over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ignite.distributed as idist
import torch


def random_state(device: str | torch.device) -> dict[str, Any]:
    """The state of the generators that layers on ``device`` draw from, such as dropout, (processes, bytes) each."""
    state = {"torch": torch.get_rng_state()}
    # Only the run's own GPU: asking for another one's state would open a context on it.
    if torch.device(device).type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    if idist.get_world_size() > 1:
        return {name: idist.all_gather(value[None]).cpu() for name, value in state.items()}
    return {name: value[None] for name, value in state.items()}


def set_random_state(state: Mapping[str, torch.Tensor], device: str | torch.device) -> None:
    """Take over this process's part of what ``random_state`` gave; a process more than before keeps its own."""
    rank = idist.get_rank()
    if rank >= len(state["torch"]):
        return
    # Copies: the generators read a view from the start of its storage, not from its own.
    torch.set_rng_state(state["torch"][rank].clone())
    if "cuda" in state and torch.device(device).type == "cuda":
        torch.cuda.set_rng_state(state["cuda"][rank].clone(), device)
