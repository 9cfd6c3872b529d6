"""Loading weights into a network, strictly or all but what does not fit: our state dicts and the ROG authors'."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from seat_components.networks.rog import LATTICE, ROG
from seat_components.networks.weight_faults import weight_faults
from seat_components.refusals import refuse
from seat_components.torch_file import UnusableFileError, read_torch_file

logger = logging.getLogger(__name__)

_Network = TypeVar("_Network", bound=nn.Module)

_LEAST_SHARE = 0.5
"""Of a network's values; weights that give less are those of another network, and no start."""

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


def unwrap(network: nn.Module) -> nn.Module:
    """The network inside ``DistributedDataParallel``, or the network itself."""
    inner = getattr(network, "module", network)
    return inner if isinstance(inner, nn.Module) else network


def load_pretrained(network: _Network, file: str | Path, unchecked: bool = False, new_head: bool = False) -> _Network:
    """Load weights into ``network``, all or none of them.

    Values are converted to the network's own type within their kind, such as float16 or float64 to float32. Weights in
    the format of PyTorch before 1.6 have no checksum and are refused; the command ``weights --convert`` reads them.

    Args:
        network: any network; its weights are replaced in place. One wrapped for data-parallel training is unwrapped.
        file: a state dict, bare or under the key ``state_dict``, with or without the prefix ``module.``; for a ROG
            also a checkpoint of ROG's or SEAT's authors.
        unchecked: read weights in the format of PyTorch before 1.6 as well.
        new_head: for other channels or classes: a layer of the network for which the file lacks a tensor, or has one
            of another shape, keeps the values that it has; what the network does not know is left out. A warning lists
            both. Half of the network's values or more must come from the file.

    Returns:
        The network that was given.

    Raises:
        RefusalError: if the file is missing, damaged, cannot be read, holds no state dict, or does not fit the network
            exactly: its names, shapes and kinds of numbers, all of them finite; the message lists what does not fit.
            With ``new_head``: if less than half fits, or what fits is of another kind or not finite.
    """
    bare = unwrap(network)
    weights = _without_prefix(_read_state_dict(Path(file), unchecked), "module.")
    if isinstance(bare, ROG) and any(name.startswith("ROG.") for name in weights):
        weights = {_our_name(name): value for name, value in weights.items()}
    if new_head:
        weights = _with_own_layers(bare, weights, file)
    if faults := weight_faults(bare, weights):
        refuse(
            f"The weights {file} do not fit the network {type(bare).__name__}:\n{faults}\n"
            "Take weights of this network, or build the network with the channels and classes of these weights; "
            "finetune.json with --new_head True begins anew with the layers that do not fit."
        )
    bare.load_state_dict(weights)
    return network


def _with_own_layers(network: nn.Module, weights: Mapping[str, Tensor], file: str | Path) -> dict[str, Tensor]:
    """``weights`` with the network's own values for the layers that they do not fit, and nothing that it lacks."""
    own: dict[str, Tensor] = network.state_dict()
    anew = {_layer(name) for name, value in own.items() if name not in weights or weights[name].shape != value.shape}
    taken = {name: weights[name] for name in own if _layer(name) not in anew}
    values, found = (sum(value.numel() for value in part.values()) for part in (own, taken))
    unknown = sorted({_layer(name) for name in weights if name not in own})
    said = (
        f"{found} of the {values} values of the network {type(network).__name__} come from {file}. "
        f"Layers begun anew: {', '.join(sorted(anew)) or 'none'}; left out: {', '.join(unknown) or 'none'}."
    )
    if found < _LEAST_SHARE * values:
        refuse(
            f"Only {said} A start with a new head takes over {_LEAST_SHARE:.0%} or more: take weights of the same kind "
            "of network, or train from scratch, without finetune.json."
        )
    logger.warning(said)
    return {**own, **taken}


def _layer(name: str) -> str:
    """The part of the network that a tensor belongs to; the tensor itself where it stands alone."""
    return name.rpartition(".")[0] or name


def _read_state_dict(file: Path, unchecked: bool) -> dict[str, Tensor]:
    if not file.is_file():
        refuse(
            f"The weights {file} do not exist; not every bundle ships any. Train first: configs/train.json writes "
            "models/model.pt. Or name a file with --weights FILE (--pretrained FILE to fine-tune)."
        )
    try:
        content = read_torch_file(file, unchecked)
    except UnusableFileError as error:
        refuse(str(error))
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
