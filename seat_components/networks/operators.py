"""Which form of its operators a network runs: forms of our own, which serve the CPU, or PyTorch's."""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

from seat_components.networks.export import is_scripting, stock_operators_only

logger = logging.getLogger(__name__)

OPERATORS = ("auto", "fast", "stock")


def runs_fast(volume: Tensor, operators: str) -> bool:
    """Whether ``volume`` is read by forms of our own; "auto" says where it lies, the meta device standing for the CPU.

    Channels-last volumes and a backward pass in many small calls are right for a CPU. On a GPU they miss PyTorch's own
    kernels.
    """
    return operators == "fast" or (operators == "auto" and (volume.device.type == "cpu" or volume.is_meta))


def runs_own_functions(volume: Tensor, operators: str) -> bool:
    """Whether ``volume`` may be read by Python functions with a backward pass of their own."""
    if is_scripting():
        return False
    else:  # noqa: RET505 - only an else branch is left out by TorchScript's compiler
        return runs_fast(volume, operators) and not stock_operators_only()


def on_device(network: nn.Module, device: str | torch.device, operators: str = "auto") -> nn.Module:
    """``network`` on ``device``, in the form that suits it, which the console is told.

    Args:
        network: the network; one with an attribute ``operators`` ("auto", "fast", "stock") can be switched.
        device: where it runs.
        operators: "fast" or "stock"; "auto" takes "fast" on a CPU and "stock" elsewhere (a training on a GPU times
            both with its first batch: see ``training.operators``).

    Returns:
        The network itself.

    Raises:
        ValueError: if there are no such operators.
    """
    if operators not in OPERATORS:
        raise ValueError(f"operators is {operators!r}, but must be one of {', '.join(OPERATORS)}.")
    if hasattr(network, "operators"):
        cpu = torch.device(device).type == "cpu"
        form = operators if operators != "auto" else "fast" if cpu else "stock"
        network.operators = form  # type: ignore[assignment]
        logger.info(f"The network runs {form} operators on {device}.")
    elif operators != "auto":
        logger.warning(f"operators={operators} is ignored: {type(network).__name__} has stock operators only.")
    return network.to(device)
