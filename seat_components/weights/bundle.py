"""A bundle's folder as far as weights are concerned: its network, and checkpoints made to fit it."""

from __future__ import annotations

from pathlib import Path

from monai.bundle import ConfigParser
from torch import nn

from seat_components.networks import load_pretrained
from seat_components.refusals import refuse
from seat_components.torch_file import save_atomically
from seat_components.training.weights import bare_state_dict


def network_of(folder: Path) -> nn.Module:
    """The network that the bundle's inference.json describes, with random weights, on the CPU.

    Raises:
        RefusalError: if the config does not describe one.
    """
    config = folder / "configs" / "inference.json"
    parser = ConfigParser()
    try:
        parser.read_config(str(config))
    except (ValueError, RecursionError) as error:
        refuse(f"{config} cannot be read as a config ({error}).")
    if not isinstance(parser.get("network_def"), dict):
        refuse(f'{config} has no "network_def", so that no weights can be checked.')
    try:
        network = parser.get_parsed_content("network_def")
    # A network's own code raises whatever it does.
    except Exception as error:
        refuse(f'"network_def" in {config} cannot be built ({error}).')
    if not isinstance(network, nn.Module):
        refuse(f'"network_def" in {config} is no network, but {type(network).__name__}.')
    return network


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
