"""Turning a checkpoint, also one of ROG's or SEAT's authors, into a bundle's weights."""

from __future__ import annotations

from pathlib import Path

from seat_components.networks import load_pretrained
from seat_components.refusals import refuse
from seat_components.torch_file import save_atomically
from seat_components.training.weights import bare_state_dict
from seat_components.weights.bundle import network_of

_ENDINGS = {".tar", ".pth", ".pt", ".ckpt"}


def convert_weights(source: Path, bundle: Path, out: Path | None = None) -> Path:
    """Check that ``source`` fits the bundle's network one to one, and write it as a bare state dict.

    Nothing is unpickled but tensors and plain containers.

    Args:
        source: a state dict, bare or under the key ``state_dict``, or a checkpoint of the authors; in the format of
            PyTorch before 1.6, too, which has no checksum.
        bundle: the folder of the bundle whose task and network it is for.
        out: the file to write; ``models/model_<name of source>.pt`` of the bundle if None. (Never models/model.pt
            by itself: that is what is served.)

    Returns:
        The file.

    Raises:
        RefusalError: if the file is damaged or cannot be read, holds more than weights, does not fit the network, or if
            ``out`` exists.
    """
    target = bundle / "models" / f"model_{_stem(source)}.pt" if out is None else out
    if target.exists():
        refuse(f"{target} exists: nothing is overwritten. Name another file with --out FILE.")
    save_atomically(bare_state_dict(load_pretrained(network_of(bundle), source, unchecked=True)), target)
    return target


def _stem(source: Path) -> str:
    """The name without all of a checkpoint's endings, such as ``.pth.tar``."""
    name = source
    while name.suffix.lower() in _ENDINGS:
        name = name.with_suffix("")
    return name.name
