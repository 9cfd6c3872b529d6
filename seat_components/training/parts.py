"""The parts of a run that a checkpoint holds, and how each takes over what was stored of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from seat_components.networks.pretrained import unwrap
from seat_components.networks.weight_faults import weight_faults

logger = logging.getLogger(__name__)

_KERNELS = ("fused", "foreach", "capturable")


class Stateful(Protocol):
    """What can be stored in a checkpoint."""

    def state_dict(self) -> Mapping[str, Any]:
        """Tensors, numbers, strings, lists and dicts only: the checkpoint is read without unpickling."""
        ...

    def load_state_dict(self, state: Any) -> Any:
        """Take over what ``state_dict`` gave."""
        ...


def take_over(part: Stateful, state: Any) -> None:
    """Give ``part`` what its ``state_dict`` was.

    Raises:
        ValueError, RuntimeError, and what else ``load_state_dict`` raises: if it does not fit, or would spoil the run.
    """
    if isinstance(part, torch.optim.Optimizer):
        _require_usable(part, state)
        # How its kernels run is this machine's affair, not that of the one where the checkpoint was written.
        own = [{name: group[name] for name in _KERNELS if name in group} for group in part.param_groups]
        now = [_options(group) for group in part.param_groups]
        part.load_state_dict(state)
        _say_options_kept(now, [_options(group) for group in part.param_groups])
        for group, kernels in zip(part.param_groups, own, strict=True):
            group.update(kernels)
    elif not isinstance(part, nn.Module):
        part.load_state_dict(state)
    elif faults := weight_faults(unwrap(part), state):
        raise ValueError(f"\n{faults}")
    else:
        unwrap(part).load_state_dict(state)


def _options(group: Mapping[str, Any]) -> dict[str, Any]:
    """Those of an optimiser but its rate, which the run's schedule sets, and how its kernels run."""
    return {name: value for name, value in group.items() if name not in ("params", "lr", "initial_lr", *_KERNELS)}


def _say_options_kept(now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> None:
    changes = {
        f"The optimizer's {name} is {group[name]} now, and was {kept[name]} in the run that is resumed: the run keeps "
        f"{kept[name]}."
        for group, kept in zip(now, before, strict=True)
        for name in group
        if name in kept and group[name] != kept[name]
    }
    for change in sorted(changes):
        logger.warning(change)


def _require_usable(optimizer: torch.optim.Optimizer, state: Any) -> None:
    """Refuse momenta and the like that would spoil the weights with the first step."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, kept in state["state"].items():
        for name, value in kept.items():
            if not isinstance(value, torch.Tensor):
                continue
            if value.ndim and (value.shape != parameters[number].shape or not value.is_floating_point()):
                raise ValueError(f"{name} is of another shape or kind than its parameter")
            if not value.isfinite().all():
                raise ValueError(f"{name} has values that are not finite")
