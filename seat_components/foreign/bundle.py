"""Any project's MONAI bundle as its inference config states it: network, preprocessing, window, classes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import nn

from seat_components.attacks.reading import SIGMOID, SOFTMAX
from seat_components.evaluation.identity import sha256
from seat_components.files import is_file, read_json_object
from seat_components.foreign.network import ForeignNetwork, of_torchscript, warn_of_code
from seat_components.networks import load_pretrained
from seat_components.refusals import RefusalError, reason, refuse

_CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
_WEIGHTS = ("model.pt", "model.ts")
_RANK = 3


class ForeignBundle:
    """A bundle's folder, whose configs run as code when they are asked for more than their text.

    Args:
        folder: the folder, with ``configs/inference.json`` (or YAML).
        device: where its network computes.

    Attributes:
        name: the folder's name.
        config: its inference config.

    Raises:
        RefusalError: if there is no such config, or it cannot be read.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.folder, self.device = folder.absolute(), device
        self.name = self.folder.resolve().name
        found = [file for name in _CONFIGS if is_file(file := self.folder / "configs" / name)]
        if not found:
            refuse(f"{folder} is no bundle: there is no configs/{_CONFIGS[0]} in it.")
        self.config = found[0]
        self._parser = ConfigParser()
        try:
            self._parser.read_config(str(self.config))
        except Exception as error:  # the parsers of JSON and YAML raise whatever they do
            refuse(f"{self.config} cannot be read as a config: {reason(error)}.")
        self._parser["bundle_root"] = str(self.folder)
        self._parser["device"] = f"$torch.device({str(device)!r})"
        warn_of_code(f"{self.config} is a program, and what it names runs")
        # What a bundle brings of its own lies in its folder.
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))

    @property
    def code(self) -> set[str]:
        """The names of the modules and packages that the bundle brings."""
        modules = {file.stem for file in self.folder.glob("*.py")}
        return modules | {file.parent.name for file in self.folder.glob("*/*.py")}

    @property
    def fingerprint(self) -> str:
        """Eight digits of the config's hash."""
        return sha256(self.config)[:8]

    def network(self, weights: Path | None = None) -> ForeignNetwork:
        """Its network with weights: those given, else ``models/model.pt``, else the TorchScript ``models/model.ts``.

        Raises:
            RefusalError: if there are no weights, they do not fit, or the config does not describe a network.
        """
        places = [weights] if weights is not None else [self.folder / "models" / name for name in _WEIGHTS]
        file = next((place for place in places if is_file(place)), None)
        if file is None:
            refuse(f"There are no weights at {' or '.join(map(str, places))}: name a file with --weights FILE.")
        name = next((name for name in ("network", "network_def") if name in self._parser), None)
        if file.suffix == ".ts":
            own: Any = of_torchscript(file, self.device).answers
        elif name is None:
            refuse(f'{self.config} has no "network_def", so that {file} cannot be used.')
        else:
            own = self._built(name)
            if not isinstance(own, nn.Module):
                refuse(f'"{name}" in {self.config} is no network, but a {type(own).__name__}.')
            own = load_pretrained(own, file).to(self.device)
        return ForeignNetwork(self.name, own, sha256(file))

    def preprocessing(self) -> tuple[Callable[[dict[str, Any]], Any], str]:
        """Its ``preprocessing``, and the key by which that takes the path of a scan.

        Raises:
            RefusalError: if there is none.
        """
        if "preprocessing" not in self._parser:
            refuse(f'{self.config} has no "preprocessing": give --preprocessing BUNDLE, or --preprocessing none.')
        transforms = self._built("preprocessing")
        if not callable(transforms):
            refuse(f'"preprocessing" in {self.config} is no transform, but a {type(transforms).__name__}.')
        keys = [key for one in getattr(transforms, "transforms", ()) for key in getattr(one, "keys", ())]
        return transforms, str(keys[0]) if keys else "image"

    @property
    def window(self) -> tuple[int, ...] | None:
        """What its network takes at once: the sliding window's size, or the metadata's; None where neither says it."""
        slides = "roi_size" in (self._parser.get("inferer") or {})
        size: Any = self._built("inferer#roi_size") if slides else self._of_tensors("inputs").get("spatial_shape")
        return tuple(size) if _is_size(size) else None

    @property
    def classes(self) -> list[str]:
        """The names of its network's channels, by its ``label_names`` or its metadata; none where neither has them."""
        names = self._parser.get("label_names") or self._of_tensors("outputs").get("channel_def")
        if not isinstance(names, Mapping):
            return []
        return [str(names[key]) for key in sorted(names, key=lambda key: int(key) if str(key).isdigit() else 0)]

    @property
    def outputs(self) -> str:
        """``sigmoid`` where its postprocessing takes one, else ``softmax``."""
        return SIGMOID if _has_sigmoid(self._parser.get("postprocessing")) else SOFTMAX

    def _of_tensors(self, section: str) -> Mapping[str, Any]:
        """What metadata.json says of the first input or output."""
        file = self.folder / "configs" / "metadata.json"
        content: Any = read_json_object(file) if is_file(file) else {}
        for name in ("network_data_format", section):
            content = content.get(name) if isinstance(content, Mapping) else None
        first = next(iter(content.values()), None) if isinstance(content, Mapping) else None
        return first if isinstance(first, Mapping) else {}

    def _built(self, name: str) -> Any:
        try:
            return self._parser.get_parsed_content(name)
        except RefusalError:
            raise
        except Exception as error:  # a bundle's code raises whatever it does
            refuse(f'"{name}" in {self.config} cannot be built: {reason(error)}.')


def _is_size(value: object) -> bool:
    numbers = isinstance(value, Sequence) and all(type(one) is int and one > 0 for one in value)
    return numbers and len(value) == _RANK  # type: ignore[arg-type]


def _has_sigmoid(config: object) -> bool:
    if isinstance(config, Mapping):
        return config.get("sigmoid") is True or any(map(_has_sigmoid, config.values()))
    return isinstance(config, list) and any(map(_has_sigmoid, config))
