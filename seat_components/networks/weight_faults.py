"""Whether a state dict is a network's: name by name, shape by shape, in kind of numbers, and finite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_LISTED = 10


def weight_faults(network: nn.Module, weights: Mapping[str, Any]) -> str:
    """What keeps ``weights`` from being the network's, a line per rule; empty where nothing does.

    Every value must be a plain, dense tensor of the network's shape and kind: floating point where the network has
    floating point, of whatever precision, as long as all its values are finite also in the network's precision; whole
    numbers, complex numbers or booleans where it has these, unchanged by the conversion.
    """
    wanted = network.state_dict()
    shared = {name: (value, wanted[name]) for name, value in weights.items() if name in wanted}
    kinds = {name: (_kind(value), _kind(own)) for name, (value, own) in shared.items()}
    # What is no tensor in the network either has neither shape nor values to compare.
    alike = {
        name: pair for name, pair in shared.items() if kinds[name][0] == kinds[name][1] and isinstance(pair[1], Tensor)
    }
    fitting = {name: pair for name, pair in alike.items() if pair[0].shape == pair[1].shape}
    finite = {name: pair for name, pair in fitting.items() if _is_finite(pair[0])}
    lines = [
        _listing("missing in the file", (name for name in wanted if name not in weights)),
        _listing("unknown to the network", (str(name) for name in weights if name not in wanted)),
        _listing(
            "of another kind",
            (f"{name} ({kind} instead of {own})" for name, (kind, own) in kinds.items() if kind != own),
        ),
        _listing(
            "of another shape",
            (
                f"{name} {tuple(value.shape)} instead of {tuple(own.shape)}"
                for name, (value, own) in alike.items()
                if name not in fitting
            ),
        ),
        _listing("with values that are not finite", (name for name in fitting if name not in finite)),
        _listing(
            "with values beyond the network's type",
            (f"{name} ({own.dtype})" for name, (value, own) in finite.items() if not _fits(value, own.dtype)),
        ),
    ]
    return "\n".join(line for line in lines if line)


def _kind(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"no tensor, but {type(value).__name__}"
    if value.layout != torch.strided or value.is_nested:
        return "sparse"
    if value.is_quantized or value.is_meta:
        return "quantized" if value.is_quantized else "without values"
    if value.dtype == torch.bool:
        return "boolean"
    if value.is_complex():
        return "complex"
    return "floating point" if value.is_floating_point() else "integer"


def _is_finite(value: Tensor) -> bool:
    # Of eight-bit floating point torch cannot say it.
    return bool(torch.isfinite(value.to(torch.complex128 if value.is_complex() else torch.float64)).all())


def _fits(value: Tensor, dtype: torch.dtype) -> bool:
    converted = value.to(dtype)
    if value.is_floating_point() or value.is_complex():
        return _is_finite(converted)
    return torch.equal(converted.to(value.dtype), value)


def _listing(what: str, names: Iterable[str]) -> str:
    """The first few of ``names`` and their number, as text; empty if there are none."""
    listed = list(names)
    if not listed:
        return ""
    more = f", … and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return f"  {len(listed)} {what}: " + ", ".join(listed[:_LISTED]) + more
