"""The ids of a bundle's configs, config by config, each with its default and what the table of options says of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seat_components.files import read_json_object
from seat_components.running.options import OPTIONS, VALUES, Option

_FIRST, _LAST = "train", "inference"


class Default(NamedTuple):
    """An id as a config has it.

    Attributes:
        name: the id.
        value: what the config says for it.
        option: its row in the table; None of an id that only this config knows.
    """

    name: str
    value: Any
    option: Option | None

    @property
    def is_value(self) -> bool:
        """Whether this is a value to be overridden, and no part that the config builds."""
        return self.name in VALUES

    @property
    def text(self) -> str:
        """The value in a few words; of a part, what it is built by."""
        value = self.value
        if isinstance(value, Mapping) and "_target_" in value:
            return str(value["_target_"]).rpartition(".")[2]
        if not self.is_value and isinstance(value, Mapping | list):
            return f"{len(value)} entries" if len(value) != 1 else "1 entry"
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def config_names(names: Iterable[str]) -> list[str]:
    """Those of the configs in the order in which they are explained: train, its overlays, inference."""
    rest = sorted(set(names) - {_FIRST, _LAST, "metadata"})
    return [name for name in (_FIRST, *rest, _LAST) if name in {*names}]


def defaults(config: Mapping[str, Any]) -> list[Default]:
    """The ids of a config's top level, values first, without those that reach into a part."""
    own = [name for name in config if "#" not in name or name in OPTIONS]
    found = [Default(name, config[name], OPTIONS.get(name)) for name in own]
    return [one for one in found if one.is_value] + [one for one in found if not one.is_value]


def places(config: Mapping[str, Any]) -> list[str]:
    """The ids by which a config changes something inside a part of another."""
    return [name for name in config if "#" in name and name not in OPTIONS]


def bundle_options(bundle: Path) -> str:
    """The options of all configs of a bundle, in lines.

    Raises:
        RefusalError: if a config is no JSON.
    """
    files = {file.stem: file for file in (bundle / "configs").glob("*.json")}
    return "\n".join(line for name in config_names(files) for line in _lines(name, read_json_object(files[name])))


def _lines(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n{name}.json"
    for one in defaults(config):
        yield f"  --{one.name} {one.text}"
        if one.option is None:
            yield "      an id of this bundle's own"
        else:
            option = one.option
            symbol = f"{option.symbol} in the papers" if option.symbol else ""
            # A part may be anything that builds it: only of values there is more to say.
            more = [option.unit, option.range, symbol] if one.is_value else []
            yield f"      {option.meaning}" + (f" ({'; '.join(filter(None, more))})" if more else "")
    if inner := places(config):
        yield f"  sets as well: {', '.join(inner)}"
