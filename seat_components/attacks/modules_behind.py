"""The networks behind a callable, so that what it does to their buffers can be undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from types import FunctionType, MethodType

from torch import Tensor, nn

DEPTH = 4
"""So many callables, containers or objects may lie between a predictor and its network."""
MOST_PARTS = 100
"""Containers of more parts are passed by."""


def modules_behind(predictor: object) -> list[nn.Module]:
    """The networks that a predictor is or holds: in its arguments, closure, object, containers and global names."""
    found: list[nn.Module] = []
    seen: set[int] = set()
    waiting: list[tuple[object, int]] = [(predictor, 0)]
    while waiting:
        thing, depth = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, nn.Module):
            found.append(thing)
        elif depth < DEPTH:
            waiting.extend((part, depth + 1) for part in _parts(thing))
    return found


def _parts(thing: object) -> Iterable[object]:
    if isinstance(thing, partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    if isinstance(thing, MethodType):
        return [thing.__self__, thing.__func__]
    if isinstance(thing, FunctionType):
        return _names_of(thing)
    if isinstance(thing, list | tuple | set | Mapping):
        parts = list(thing.values()) if isinstance(thing, Mapping) else list(thing)
        return parts if len(parts) <= MOST_PARTS else []
    if isinstance(thing, type | Tensor) or not callable(thing):
        return []
    return [*vars(thing).values()] if hasattr(thing, "__dict__") else []


def _names_of(function: FunctionType) -> list[object]:
    """What a function's closure, defaults and global names hold."""
    code = function.__code__
    held = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    closed = []
    for cell in held.values():
        try:
            closed.append(cell.cell_contents)
        except ValueError:  # a name that is not bound yet
            continue
    named = [function.__globals__[name] for name in code.co_names if name in function.__globals__]
    return [*closed, *named, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
