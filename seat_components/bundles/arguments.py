"""Which arguments the components of a config take, to find an override that none of them would accept."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Mapping, Sequence
from pydoc import locate
from typing import Any

from monai.bundle import ComponentLocator, ConfigComponent


def unknown_argument(config: Mapping[str, Any], path: Sequence[str]) -> str | None:
    """Why the override of ``path``, such as (train, trainer, max_epoch), would fail; None where it may work.

    Args:
        config: the merged config.
        path: the parts of the override's id.
    """
    parent: Any = config
    for depth, name in enumerate(path[:-1]):
        children = _children(parent)
        if name not in children:
            return (
                f"'{'#'.join(path[:depth])}' has no '{name}'.{_hint(name, children, path[:depth], path[depth + 1 :])}"
            )
        parent = children[name]
    arguments = _arguments(parent)
    if arguments is None or path[-1] in arguments or path[-1].startswith("_"):
        return None
    target = str(parent["_target_"]).rpartition(".")[2]
    return f"{target} takes no argument '{path[-1]}'.{_hint(path[-1], arguments, path[:-1], ())}"


def _children(parent: Any) -> dict[str, Any]:
    if isinstance(parent, Mapping):
        return dict(parent)
    return {str(number): item for number, item in enumerate(parent)} if isinstance(parent, list) else {}


def _arguments(component: Any) -> Collection[str] | None:
    """The names that a component takes; None where that is not known, or it takes any."""
    if not isinstance(component, Mapping) or not isinstance(component.get("_target_"), str):
        return None
    target = locate(ConfigComponent(dict(component), locator=ComponentLocator()).resolve_module_name())
    try:
        parameters = inspect.signature(target).parameters  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    return None if takes_any else set(parameters)


def _hint(name: str, known: Collection[str], before: Sequence[str], after: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f" Did you mean --{'#'.join([*before, nearest[0], *after])}?" if nearest else ""
