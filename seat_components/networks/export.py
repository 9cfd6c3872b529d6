"""Whether a tracer, exporter, compiler or function transform is at work, which can follow stock operators only."""

from __future__ import annotations

import torch
from torch.jit import is_scripting, is_tracing  # type: ignore[attr-defined]

__all__ = ["is_scripting", "stock_operators_only"]


def stock_operators_only() -> bool:
    """Whether Python functions with a backward pass of their own must step aside for stock operators.

    TorchScript's compiler reads this function wherever its name stands, even behind a condition that is false; it
    leaves out what is written for Python alone.
    """
    if is_scripting():
        return True
    else:  # noqa: RET505 - only an else branch is left out by TorchScript's compiler
        transforming = torch._C._are_functorch_transforms_active()
        return bool(is_tracing()) or torch.compiler.is_compiling() or bool(transforming)
