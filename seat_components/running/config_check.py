"""The config of the command line, read once more before MONAI builds anything of it, to name what will not do."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from pydoc import locate
from typing import Any

import torch
from monai.bundle import ComponentLocator, ConfigComponent, ConfigParser

from seat_components.launching.line import METHOD_OVERLAYS
from seat_components.refusals import SignalExit, reason
from seat_components.running.command_line import Given
from seat_components.running.kinds import COMPONENT, LIST, Rule, is_expression
from seat_components.running.options import PARTS, VALUES
from seat_components.running.values import shown, value_faults

_BASE = ("train", "inference")
"""Configs that stand alone."""


def given_faults(given: Given) -> list[str]:
    """One line for each thing of a command line that is not of its kind, cannot be computed, or does not fit together.

    What is wrong there would end in MONAI's errors about config expressions, before any component could say a word.
    """
    if faults := [*_order_faults(given.files), *_method_faults(given.files), *_none_faults(given.values)]:
        return faults
    config = config_of(given.files, given.values)
    faults = [
        f"{given.options[option]!r} is no id of these configs: values are given as --id value"
        for option in ("run_id", "init_id", "final_id")
        if option in given.options and str(given.options[option]) not in config
    ]
    return faults or config_faults(config) or _part_faults(given.files, given.values) or network_faults(config)


def _order_faults(files: Sequence[str]) -> list[str]:
    """One line per config that stands before the one that replaces all it says."""
    names = [Path(file).stem for file in files]
    bases = [place for place, name in enumerate(names) if name in _BASE]
    last = bases[-1] if bases else 0
    return [f"{name}.json stands before {names[last]}.json, which replaces what it says" for name in names[:last]]


def _method_faults(files: Sequence[str]) -> list[str]:
    """One line where two methods are asked for: the training would be a mixture under the last one's name."""
    names = [name for name in dict.fromkeys(Path(file).stem for file in files) if name in METHOD_OVERLAYS]
    return [f"{' and '.join(names)} are methods of training, of which a run has one"] if len(names) > 1 else []


def _none_faults(values: Mapping[str, Any]) -> list[str]:
    """One line for each value that is to be none: None reaches no config, as MONAI drops it, and null is a text."""
    return [
        f"{name} is {value}, which MONAI does not take for nothing: write --{name} '$None'"
        for name, value in values.items()
        if name in VALUES and (value is None or value in ("null", "none"))
    ]


def config_of(files: Sequence[str], overrides: Mapping[str, Any]) -> ConfigParser:
    """The merged config, with what the command line overrides."""
    parser = ConfigParser()
    parser.read_config(list(files))
    parser.update({name: value for name, value in overrides.items() if value is not None})
    parser.parse(True)
    return parser


def config_faults(parser: ConfigParser) -> list[str]:
    """One line for each id whose value is not of its kind, cannot be computed, or names no component.

    Values come first: what is computed from wrong ones says nothing of its own.
    """
    config = {name: parser[name] for name in (*VALUES, *PARTS) if name in parser}
    written = {name: config[name] for name in VALUES if name in config and not is_expression(config[name])}
    if faults := value_faults(written):
        return faults
    if faults := value_faults({name: config[name] for name in PARTS if name in config}):
        return faults
    for name in VALUES:
        if name in config and is_expression(config[name]):
            try:
                value = computed(parser, name)
            except Exception as error:  # an expression may raise anything
                faults.append(f"{name} is {shown(config[name])}, which cannot be computed: {reason(error)}")
            else:
                faults += value_faults({name: value})
    return faults or [fault for name in PARTS if name in config for fault in _component_faults(name, config[name])]


def computed(parser: ConfigParser, name: str) -> Any:
    """The value of an id. An expression that would end the program, as if all were done, raises as others do."""
    try:
        return parser.get_parsed_content(name)
    except SystemExit as end:
        if isinstance(end, SignalExit) or isinstance(end.code, str):  # the latter is a refusal
            raise
        raise RuntimeError(f"it ends the program ({end.code})") from None


def _part_faults(files: Sequence[str], overrides: Mapping[str, Any]) -> list[str]:
    """One line for each override that puts something else where the configs have a component or a list."""
    configs = [config_of(files[:1], {}), config_of(files, {})]
    faults = []
    for name, value in overrides.items():
        if "#" not in (place := name.replace("::", "#")) or place.startswith("+") or value is None:
            continue
        for known in (config[place] for config in configs if place in config):
            rule = _rule_of(place, known)
            if rule is not None and not rule[0](value):
                faults.append(f"{name} is {shown(value)}, but it must be {rule[1]}")
    return list(dict.fromkeys(faults))


def _rule_of(place: str, known: Any) -> Rule | None:
    """What may stand in the place of ``known``; None where nothing is known of it."""
    if _is_part(known):
        return COMPONENT
    many = isinstance(known, list) and any(map(_is_part, known))
    return LIST if many or place.endswith(("#transforms", "#handlers")) else None


def _is_part(value: Any) -> bool:
    return isinstance(value, Mapping) and "_target_" in value


def _component_faults(name: str, config: Any) -> Iterator[str]:
    """One line for each component in ``config`` that there is not, or whose arguments do not fit it."""
    if isinstance(config, list):
        for place, part in enumerate(config):
            yield from _component_faults(f"{name}#{place}", part)
    if not isinstance(config, Mapping):
        return
    target = config.get("_target_")
    if isinstance(target, str) and not is_expression(target):
        try:
            found = locate(ConfigComponent(dict(config), locator=_LOCATOR).resolve_module_name())
        except Exception as error:  # importing a module of one's own may raise anything
            yield f"{name}: {target!r} cannot be imported: {reason(error)}"
            return
        if found is None:
            yield f"{name}: there is no class or function {target!r}: give the module too, as in torch.optim.SGD"
            return
        if fault := _argument_fault(found, [key for key in config if not str(key).startswith("_")], config):
            yield f"{name}: {target}: {fault}"
    for key, part in config.items():
        yield from _component_faults(f"{name}#{key}", part)


_LOCATOR = ComponentLocator()


def _argument_fault(target: Any, names: Sequence[str], config: Mapping[str, Any]) -> str:
    if config.get("_mode_", "default") != "default":
        return ""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        return str(error)
    return ""


def network_faults(parser: ConfigParser) -> list[str]:
    """Why the network cannot be built, in one line; none where it can, or there is none."""
    if "network_def" not in parser:
        return []
    try:
        with torch.random.fork_rng(devices=[]):
            network = computed(parser, "network_def")
    except Exception as error:  # a network of another's may raise anything
        return [f"network_def cannot be built: {reason(error)}"]
    if isinstance(network, torch.nn.Module):
        return []
    return [f"network_def gives {type(network).__name__}, but it must be a network, a torch.nn.Module"]
