"""A bundle's folder as far as weights are concerned: where it is, and its network."""

from __future__ import annotations

from pathlib import Path

from monai.bundle import ConfigParser
from torch import nn

from seat_components.refusals import RefusalError, refuse
from seat_components.tasks import load_task


def bundle_folder(bundle: str | Path, bundles: str | Path = "bundles") -> Path:
    """The folder of a bundle.

    Args:
        bundle: the folder itself, or the name of a bundle or task.
        bundles: where bundles are looked for by name.

    Raises:
        RefusalError: if there is no such bundle.
    """
    names = [str(bundle), _bundle_of_task(str(bundle))]
    candidates = [Path(bundle), *(Path(bundles) / name for name in names if name)]
    found = [folder for folder in candidates if (folder / "configs" / "inference.json").is_file()]
    if not found:
        refuse(
            f"{bundle} is no bundle: there is no configs/inference.json in {', '.join(map(str, candidates))}. Give a "
            "bundle's folder, or its name and --bundles DIR."
        )
    return found[0]


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


def _bundle_of_task(name: str) -> str:
    try:
        return load_task(name).bundle
    except RefusalError:
        return ""
