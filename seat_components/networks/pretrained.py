"""Loading weights into a network, strictly: our own state dicts and the ROG authors' checkpoints."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import torch
from torch import Tensor, nn

from seat_components.networks.parallel import unwrap
from seat_components.networks.rog import LATTICE, ROG
from seat_components.refusals import refuse

Network = TypeVar("Network", bound=nn.Module)

LISTED = 10

# Where the authors' parts stand in our network. Their lattice is `backbone.<column>.cells.<0 upper | 1 lower>`.
_OUTER_PARTS = {
    "stem.0.0.": "stem.conv1.",
    "stem.0.1.": "stem.conv2.norm.",
    "stem.0.3.": "stem.conv2.conv.",
    "stem.0.4.": "stem.norm2.",
    "stem.1.0.": "stem.conv3.",
    "stem.1.1.": "stem.conv4.norm.",
    "stem.1.3.": "stem.conv4.conv.",
    "stem.1.4.": "stem.norm4.",
    "combination.1.": "head.conv1.conv.",
    "combination.2.": "head.norm1.",
    "final.1.": "head.conv2.",
}
_CELL_PARTS = {
    "core.1.": "conv1.conv.",
    "core.2.": "conv2.norm.",
    "core.4.": "conv2.conv.",
    "core.5.": "norm2.",
    "up.1.": "up.reduce.conv.",
    "up.2.": "up.norm.",
    "down.1.": "down.widen.conv.",
    "down.2.": "down.norm.",
}
# Their norms and depthwise convolutions sit one name deeper, or bear another name.
_LEAVES = {"norm.weight": "weight", "norm.bias": "bias", "conv.weight": "depthwise.weight"}


def load_pretrained(network: Network, file: str | Path) -> Network:
    """Load weights into ``network``, all or none of them.

    Args:
        network: any network; its weights are replaced in place. One wrapped for data-parallel training is unwrapped.
        file: a state dict, bare or under the key ``state_dict``, with or without the prefix ``module.``; for a ROG
            also a checkpoint of ROG's or SEAT's authors.

    Returns:
        The network that was given.

    Raises:
        RefusalError: if the file is missing, cannot be read, holds no state dict, or does not fit the network
            exactly; the message lists what does not fit.
    """
    bare = unwrap(network)
    weights = _without_prefix(_read_state_dict(Path(file)), "module.")
    if isinstance(bare, ROG) and any(name.startswith("ROG.") for name in weights):
        weights = {_our_name(name): value for name, value in weights.items()}
    _refuse_misfit(bare, weights, Path(file))
    bare.load_state_dict(weights)
    return network


def _read_state_dict(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        refuse(
            f"The weights {file} do not exist; not every bundle ships any. Train first: configs/train.json writes "
            "models/model.pt. Or name a file with --weights FILE (--pretrained FILE to fine-tune)."
        )
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        refuse(
            f"{file} is no plain checkpoint: it is another kind of file, or holds objects besides tensors, which "
            "could run code and are not loaded. Save the network's state_dict() alone."
        )
    except (RuntimeError, EOFError, BadZipFile, OSError, ValueError, LookupError) as error:
        refuse(f"{file} cannot be read as a PyTorch checkpoint ({error}). Save the network's state_dict() again.")
    weights: Any = content
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        weights = content["state_dict"]
    if (
        not isinstance(weights, Mapping)
        or not weights
        or not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items())
    ):
        refuse(
            f"{file} holds no network weights: a mapping from parameter names to tensors, bare or under the key "
            "'state_dict', is needed."
        )
    return dict(weights)


def _without_prefix(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """``weights`` without a prefix that every name bears."""
    if not all(name.startswith(prefix) for name in weights):
        return weights
    return {name.removeprefix(prefix): value for name, value in weights.items()}


def _our_name(authors_name: str) -> str:
    """Our name of a parameter of the authors' network; a name that is none of theirs comes back as it is."""
    name = authors_name.removeprefix("ROG.")
    for theirs, ours in _PARTS.items():
        if name.startswith(theirs):
            leaf = name.removeprefix(theirs)
            return ours + _LEAVES.get(leaf, leaf)
    return authors_name


_PARTS = {
    **_OUTER_PARTS,
    **{
        f"backbone.{column}.cells.{int(level >= 2)}.{theirs}": f"lattice.column{column}_level{level}.{ours}"
        for column, level, _ in LATTICE
        for theirs, ours in _CELL_PARTS.items()
    },
}


def _refuse_misfit(network: nn.Module, weights: Mapping[str, Tensor], file: Path) -> None:
    """Refuse weights that do not fit the network one to one."""
    wanted = network.state_dict()
    misfits = [
        _listing("missing in the file", (name for name in wanted if name not in weights)),
        _listing("unknown to the network", (name for name in weights if name not in wanted)),
        _listing(
            "of another shape",
            (
                f"{name} {tuple(value.shape)} instead of {tuple(wanted[name].shape)}"
                for name, value in weights.items()
                if name in wanted and value.shape != wanted[name].shape
            ),
        ),
    ]
    if any(misfits):
        refuse(
            f"The weights {file} do not fit the network {type(network).__name__}:\n"
            + "\n".join(misfit for misfit in misfits if misfit)
            + "\nTake weights of this network, or build the network with the channels and classes of these weights."
        )


def _listing(what: str, names: Iterable[str]) -> str:
    """The first few of ``names`` and their number, as text; empty if there are none."""
    listed = list(names)
    if not listed:
        return ""
    more = f", … and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
    return f"  {len(listed)} {what}: " + ", ".join(listed[:LISTED]) + more
