"""What ``seat attack --model`` was asked for, and the choices that follow where nothing was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from seat_components.data.index import CaseFiles
from seat_components.evaluation.protocols import protocol_of
from seat_components.foreign.bundle import ForeignBundle
from seat_components.foreign.labelled import cases_of_dataset, paired_cases
from seat_components.foreign.network import ForeignNetwork
from seat_components.refusals import refuse

DEFAULTS: Mapping[str, Any] = {
    "attack_eps_255": [2, 4, 6, 8, 10],
    "steps": None,
    "seed": 0,
    "draws": 1,
    "scope": "patch",
    "max_cases": None,
    "budget": "range",
    "least_budget": False,
    "device": None,
}
"""The ids of ``attack.json`` that mean the same for any network, and what they are where they are not given."""
_NONE = "none"


@dataclass(frozen=True)
class Asked:
    """What was typed.

    Attributes:
        model: a file, ``package.module:function``, or a bundle's folder.
        out: the folder of the records.
        data: a dataset's folder; else ``images`` and ``labels`` are folders, or files.
        preprocessing: a bundle's folder, or ``none``; None for the model's own.
        patch: the size of the patch, or window; None for the preprocessing's.
        label_names: of the network's channels; None for the bundle's or the dataset's (see ``channels_of``).
        outputs: ``softmax`` or ``sigmoid``; None for the bundle's.
        weights: of a bundle, in place of its own.
        output_key: which part of the network's answer its logits are.
        protocol: its name; None for ``quick``, or ``black-box`` where there are no gradients.
        settings: values in place of those of ``DEFAULTS``.
    """

    model: str
    out: Path
    data: Path | None = None
    images: Path | None = None
    labels: Path | None = None
    preprocessing: str | None = None
    patch: Sequence[int] | None = None
    label_names: Sequence[str] | None = None
    outputs: str | None = None
    weights: Path | None = None
    output_key: int | str | None = None
    protocol: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def protocol_for(asked: Asked, network: ForeignNetwork) -> str:
    """The protocol's name.

    Raises:
        RefusalError: if it follows gradients that the network does not have, or there is none of that name.
    """
    name = asked.protocol or ("quick" if network.has_gradients else "black-box")
    if protocol_of(name).follows_gradients and not network.has_gradients:
        refuse(
            f"--protocol {name} follows gradients, but an ONNX file such as {network.name} has none: take "
            "--protocol black-box, or the network as TorchScript or as a function."
        )
    return name


def preprocessing_for(asked: Asked, bundle: ForeignBundle | None, device: torch.device) -> ForeignBundle | None:
    """The bundle whose preprocessing is taken; None where scans are taken as they are in their files.

    Raises:
        RefusalError: if nobody says how scans are prepared, if the bundle is none, or if both bundles bring code of one
            name, of which Python would take one for the other.
    """
    if asked.preprocessing is None:
        if bundle is None:
            refuse(
                f"How are scans prepared for {asked.model}? Give --preprocessing BUNDLE, the folder of a bundle whose "
                "inference config says it, or --preprocessing none for scans as they are in their files."
            )
        return bundle
    if asked.preprocessing == _NONE:
        return None
    source = ForeignBundle(Path(asked.preprocessing), device)
    if bundle is not None and source.folder != bundle.folder and (shared := sorted(source.code & bundle.code)):
        refuse(
            f"{bundle.folder} and {source.folder} both bring code called {shared[0]!r}, of which Python would take one "
            "for the other. Save the network as TorchScript, and give --model that file."
        )
    return source


def cases_for(asked: Asked) -> tuple[list[CaseFiles], str]:
    """The labelled cases, and which they are in words.

    Raises:
        RefusalError: if none are named, or they are not in order (see ``cases_of_dataset`` and ``paired_cases``).
    """
    if asked.data is not None and not (asked.images or asked.labels):
        return cases_of_dataset(asked.data)
    if asked.data is not None or not (asked.images and asked.labels):
        refuse("Name the labelled scans: --data DATASET, or --images FOLDER and --labels FOLDER.")
    return paired_cases(asked.images, asked.labels)


def inputs_of(source: ForeignBundle | None, window: Sequence[int] | None, scope: str) -> str:
    """What is attacked, in the words of the record, which goes on only with the same.

    Raises:
        RefusalError: for whole volumes without a window's size.
    """
    size = " × ".join(map(str, window or ()))
    if scope == "volume" and window is None:
        refuse("--scope volume needs the size of the window that a network takes at once: --patch X Y Z.")
    what = {"patch": "one patch per case, centred on the foreground's centre of mass", "volume": "whole volumes"}[scope]
    what = what if window else "one whole scan per case, in one pass"
    how = f"prepared by {source.name} ({source.fingerprint})" if source else "as in their files"
    return f"{what}{f', {size}' if window else ''}; scans {how}"
