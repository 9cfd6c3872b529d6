"""Whether a tracer, exporter or compiler is watching, which can follow stock operators only."""

from __future__ import annotations

import torch
from torch.jit import is_scripting, is_tracing  # type: ignore[attr-defined]

__all__ = ["is_scripting", "stock_operators_only"]


def stock_operators_only() -> bool:
    """Whether Python functions with a backward pass of their own must step aside for stock operators.

    TorchScript's compiler cannot follow this question; its own, ``is_scripting()``, must be asked before.
    """
    return bool(is_tracing()) or torch.compiler.is_compiling()
