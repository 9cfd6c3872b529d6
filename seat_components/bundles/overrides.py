"""Refusing a misspelt override on the command line, which MONAI would silently accept."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import monai.bundle
from monai.bundle import ConfigParser

from seat_components.bundles.arguments import unknown_argument
from seat_components.bundles.command_line import option_names, option_values
from seat_components.refusals import is_bundle_run, refuse

TRACKING_IDS = frozenset({"tracking_uri", "experiment_name", "run_name", "save_execute_config"})
RENAMED = {"eps_255": "attack_eps_255"}
"""Ids of train.json whose part another id plays in a config that is read on top of it."""

MOVED = {
    "checkpoint#directory": "ckpt_dir",
    "checkpoint#resume": "resume",
    "checkpoint#stop_after_minutes": "stop_after_minutes",
    "checkpoint#settings": "train#trainer#settings",
    "history#directory": "output_dir",
    "history#labels": "train#trainer#labels",
    "weight_saver#directory": "ckpt_dir",
    "prepare": "run",
}
"""Ids that configs had once, and those that took their place."""
BUILT = {"checkpoint", "history", "weight_saver"}
"""Components that configs had once, which ``RobustTrainer`` builds now."""
TRAINERS_OWN = "Learning rate, validation, data order, progress and timing are train#trainer's own; see --val_interval."


def check_overrides() -> None:
    """Refuse an override of an id that none of the named configs has.

    Config expressions never see the raw config, so this reads the command line; it does so only under
    ``python -m monai.bundle run``, and does nothing in any other program. Checked are the top level, the members
    of its groups, such as ``train``, and the arguments of components, such as ``train#trainer#max_epochs``.

    Raises:
        SystemExit: naming the id and the nearest one that exists.
    """
    if not is_bundle_run():
        return
    arguments = sys.argv[2:]
    files = option_values(arguments, "config_file")
    ids, groups = _config_ids(files)
    if not ids:
        return
    known = {*ids, *run_arguments(), *TRACKING_IDS, ConfigParser.meta_key}
    names = option_names(arguments)
    faults = [_advice(name, known, files) for name in names if not _is_known(name, known, groups)]
    if "method" in names and not {_path(name)[0] for name in names} & {"schedule", "update"}:
        faults.append("--method only gives the method's name: add its config, such as configs/free.json, instead")
    faults += [
        f"--{name} is the training's, and changes nothing here: did you mean --{other}?"
        for name, other in RENAMED.items()
        if name in names and other in ids
    ]
    if not faults:
        faults = _argument_faults(names, ConfigParser.load_config_files(files))
    if faults:
        refuse("\n       ".join(faults))


def _argument_faults(names: Collection[str], config: dict[str, Any]) -> list[str]:
    """One line per override of an argument that its component does not take."""
    replaced = {tuple(_path(name)) for name in names}
    faults = []
    for name in names:
        path = _path(name)
        # The id may lie in what another override puts there.
        inherited = not any(tuple(path[:depth]) in replaced for depth in range(1, len(path)))
        if inherited and path[0] in config and (fault := unknown_argument(config, path)):
            own = f" {TRAINERS_OWN}" if path[:2] == ["train", "handlers"] else ""
            faults.append(f"--{name}: {fault}{own}")
    return faults


def _is_known(name: str, known: Collection[str], groups: Collection[str]) -> bool:
    top, *inner = _path(name)
    return top in known and (top not in groups or not inner or f"{top}#{inner[0]}" in known)


def _path(name: str) -> list[str]:
    """The parts of an id such as ``+train#handlers``, in either of MONAI's notations."""
    return name.lstrip("+").replace("::", "#").split("#")


def _advice(name: str, known: Collection[str], files: Sequence[str]) -> str:
    path = _path(name)
    for depth in range(len(path), 0, -1):
        if moved := MOVED.get("#".join(path[:depth])):
            return f"--{name} is --{'#'.join([moved, *path[depth:]])} now."
    if path[0] in BUILT:
        return (
            f"--{name} is no id any more: train#trainer builds the {path[0]}, and keeps its place among the handlers."
        )
    beside = sorted(Path(files[0]).parent.glob("*.json"))
    if overlay := next((file for file in beside if name in ConfigParser.load_config_file(file)), None):
        return f"--{name} is not an id of these configs, but of {overlay.name}: add that config."
    longer = [other for other in sorted(known) if other.startswith(f"{name}_")]
    nearest = longer or difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    hint = f"Did you mean --{nearest[0]}?" if nearest else "See the ids of its configs/*.json."
    return f"--{name} is not an id of this bundle. {hint}"


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


def run_arguments() -> set[str]:
    """The names of ``monai.bundle run``'s own options."""
    return set(inspect.signature(monai.bundle.run).parameters) - {"override"}
