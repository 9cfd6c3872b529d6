"""A network that is no bundle's, as one module with what records say of it: from a TorchScript file, or a function."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seat_components.attacks import Predictor
from seat_components.attacks.modules_behind import modules_behind
from seat_components.evaluation.identity import sha256
from seat_components.evaluation.plain import LogitsOf
from seat_components.refusals import reason, refuse


@dataclass(frozen=True)
class ForeignNetwork:
    """A network, and what is to be said of it.

    Attributes:
        name: its name in the records.
        answers: image (1, C, *spatial) → logits (1, K, *spatial), or a tuple, list or dict that holds them.
        sha256: a hash of what it computes.
        has_gradients: whether attacks can follow them.
    """

    name: str
    answers: Predictor
    sha256: str
    has_gradients: bool = True


class OneModule(nn.Module):
    """Any predictor as a module: the networks that it is or holds are its parts, which follow its mode and device.

    Args:
        predictor: image → logits, or a tuple, list or dict that holds them.
        key: which part of such an answer the logits are.
    """

    def __init__(self, predictor: Predictor, key: int | str | None = None) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules_behind(predictor))
        self._logits = LogitsOf(predictor, key)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (1, K, *spatial) of an image (1, C, *spatial)."""
        return self._logits(image)

    def train(self, mode: bool = True) -> OneModule:
        """Set the mode of all parts; a frozen TorchScript module has none."""
        self.training = mode
        for part in self.parts:
            if hasattr(part, "training"):
                part.train(mode)
        return self


def warn_of_code(what: str) -> None:
    """Say, before it runs, that code of others does."""
    print(f"NOTE: {what}. Name only what you trust.", flush=True)


def of_torchscript(file: Path, device: torch.device) -> ForeignNetwork:
    """The network in a TorchScript file, such as a bundle's ``model.ts``.

    Raises:
        RefusalError: if the file is none.
    """
    warn_of_code(f"{file} is a program, which TorchScript runs")
    try:
        network = torch.jit.load(str(file), map_location=device)
    except (RuntimeError, ValueError, OSError) as error:
        refuse(
            f"{file} is no TorchScript file ({reason(error)}). A file of weights alone holds no network: name its "
            "bundle's folder and --weights FILE, or a function that makes the network and loads them, as "
            "--model package.module:function."
        )
    return ForeignNetwork(file.name, network, sha256(file))


def of_function(place: str) -> ForeignNetwork:
    """What ``package.module:function`` names: a predictor, or what gives one when it is called without arguments.

    A module is looked for in the working folder first. The hash is that of the function's source file and of all
    tensors in networks that it is or holds.

    Raises:
        RefusalError: if there is no such function, or it makes no predictor.
    """
    warn_of_code(f"--model {place} runs the code of that module")
    predictor = _named(place)
    if not isinstance(predictor, nn.Module) and _needs_nothing(predictor):
        try:
            predictor = predictor()
        except Exception as error:  # the code is its author's
            refuse(f"--model {place} cannot make its network: {reason(error)}.")
        if not callable(predictor):
            refuse(
                f"--model {place} gives a {type(predictor).__name__}, but called without arguments it must give a "
                "network: a module, or a function from an image (1, C, *spatial) to logits (1, K, *spatial)."
            )
    source = sys.modules[place.partition(":")[0]].__file__
    networks = modules_behind(predictor)
    digest = hashlib.sha256(Path(source).read_bytes() if source else b"")
    for name, value in _tensors(networks):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return ForeignNetwork(place, predictor, digest.hexdigest())


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = importlib.import_module(module)
    except Exception as error:  # the code is its author's
        missing = isinstance(error, ModuleNotFoundError) and error.name in (module, module.partition(".")[0])
        why = f"there is none in {here}, nor in this environment" if missing else reason(error)
        refuse(f"--model {place}: the module {module} cannot be imported: {why}.")
    function = getattr(found, name, None)
    if not callable(function):
        there = [other for other, value in vars(found).items() if callable(value) and not other.startswith("_")]
        refuse(
            f"--model {place}: {module} has no function {name}, nor a class or network of that name. It has "
            f"{', '.join(there) or 'none'}."
        )
    return function


def _needs_nothing(function: Any) -> bool:
    """Whether it can be called without arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-in functions
        return False
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(one.kind in optional or one.default is not inspect.Parameter.empty for one in parameters)


def _tensors(networks: Sequence[nn.Module]) -> list[tuple[str, Tensor]]:
    found = [pair for network in networks for pair in network.state_dict().items()]
    return [(name, value) for name, value in found if isinstance(value, Tensor)]
