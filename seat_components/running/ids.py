"""Refusing a misspelt override on the command line, which MONAI would silently accept."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from pydoc import locate
from typing import Any

from monai.bundle import ComponentLocator, ConfigComponent, ConfigParser

from seat_components.running.command_line import RUN_OPTIONS, TRACKING_IDS, Given

RENAMED = {"eps_255": "attack_eps_255"}
"""Ids of train.json whose part another id plays in a config that is read on top of it."""

MOVED = {
    "cases#training": "cases",
    "cases#validation": "cases",
    "core_network": "network",
    "finalize": "run",
    "lock": "run",
    "plan": "train#plan",
    "prepare": "run",
    "sampling_margin": "train#sampling_margin",
    "sampling_patch_size": "train#random_transforms#0#spatial_size",
    "task": "cases#task",
    "train#trainer#labels": "train#trainer#label_names",
    "val_images": "validate#images",
}
"""Ids that configs had once, and those that took their place."""
BUILT = {"checkpoint", "history", "weight_saver"}
"""Components that configs had once, which ``RobustTrainer`` builds now."""
_TRAINERS_OWN = (
    "Learning rate, validation, data order, progress and timing are train#trainer's own; see --val_interval."
)


def id_faults(given: Given) -> list[str]:
    """One line for each override of an id that none of the named configs has, with the nearest one that exists.

    Checked are the top level, the members of its groups, such as ``train``, and the arguments of components, such as
    ``train#trainer#max_epochs``.
    """
    ids, groups = _config_ids(given.files)
    known = {*ids, *RUN_OPTIONS, *TRACKING_IDS, ConfigParser.meta_key}
    names = list(given.values)
    faults = [_advice(name, known, given.files) for name in names if not _is_known(name, known, groups)]
    if "method" in names and not {_path(name)[0] for name in names} & {"schedule", "update"}:
        faults.append("--method only gives the method's name: add its config, such as configs/free.json, instead")
    faults += [
        f"--{name} is the training's, and changes nothing here: did you mean --{other}?"
        for name, other in RENAMED.items()
        if name in names and other in ids
    ]
    return faults or _argument_faults(names, ConfigParser.load_config_files(given.files))


def _is_known(name: str, known: Collection[str], groups: Collection[str]) -> bool:
    top, *inner = _path(name)
    return top in known and (top not in groups or not inner or f"{top}#{inner[0]}" in known)


def _path(name: str) -> list[str]:
    """The parts of an id such as ``train#handlers``, in either of MONAI's notations."""
    return name.lstrip("+").replace("::", "#").split("#")


def _config_ids(files: Iterable[str]) -> tuple[set[str], set[str]]:
    """The ids of the two upper levels of all configs, and which of the top level are groups of components."""
    ids: set[str] = set()
    groups: set[str] = set()
    for file in files:
        for key, value in ConfigParser.load_config_file(file).items():
            path = _path(key)
            ids |= {path[0], "#".join(path[:2])}
            if len(path) == 1 and isinstance(value, dict) and "_target_" not in value:
                ids |= {f"{key}#{inner}" for inner in value}
                if any(isinstance(component, dict) for component in value.values()):
                    groups.add(path[0])
    return ids, groups


def _advice(name: str, known: Collection[str], files: Sequence[str]) -> str:
    if moved := _moved(name):
        return moved
    path = _path(name)
    if path[0] in BUILT:
        return (
            f"--{name} is no id any more: train#trainer builds the {path[0]}, and keeps its place among the handlers."
        )
    beside = sorted(Path(files[0]).parent.glob("*.json"))
    if overlay := next((file for file in beside if name in ConfigParser.load_config_file(file)), None):
        return f"--{name} is not an id of these configs, but of {overlay.name}: add that config."
    longer = [other for other in sorted(known) if other.startswith(f"{name}_")]
    nearest = longer or difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    hint = f"Did you mean --{nearest[0]}?" if nearest else "`seat options BUNDLE` lists all."
    return f"--{name} is not an id of this bundle. {hint}"


def _moved(name: str) -> str | None:
    """What took the place of an id that configs had once; None of any other."""
    moved = MOVED.get("#".join(_path(name)))
    return None if moved is None else f"--{name} is --{moved} now."


def _argument_faults(names: Collection[str], config: Mapping[str, Any]) -> list[str]:
    """One line per override of an argument that its component does not take."""
    replaced = {tuple(_path(name)) for name in names}
    faults = []
    for name in names:
        path = _path(name)
        # The id may lie in what another override puts there.
        inherited = not any(tuple(path[:depth]) in replaced for depth in range(1, len(path)))
        if inherited and path[0] in config and (fault := _unknown_argument(config, path)):
            own = f" {_TRAINERS_OWN}" if path[:2] == ["train", "handlers"] else ""
            faults.append(_moved(name) or f"--{name}: {fault}{own}")
    return faults


def _unknown_argument(config: Mapping[str, Any], path: Sequence[str]) -> str | None:
    """Why the override of ``path``, such as (train, trainer, max_epoch), would fail; None where it may work.

    MONAI itself ends a run that overrides something inside of what is not there.
    """
    component: Any = config
    for name in path[:-1]:
        component = _children(component).get(name)
    arguments = _arguments(component)
    if arguments is None or path[-1] in arguments or path[-1].startswith("_"):
        return None
    target = str(component["_target_"]).rpartition(".")[2]
    nearest = difflib.get_close_matches(path[-1], sorted(arguments), n=1, cutoff=0.5)
    hint = f" Did you mean --{'#'.join([*path[:-1], nearest[0]])}?" if nearest else ""
    return f"{target} takes no argument '{path[-1]}'.{hint}"


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
