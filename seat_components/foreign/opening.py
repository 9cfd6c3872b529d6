"""What ``--model`` names: a TorchScript or ONNX file, a function, or a bundle's folder."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from seat_components.files import is_file, is_folder
from seat_components.foreign.bundle import ForeignBundle
from seat_components.foreign.network import ForeignNetwork, of_function, of_torchscript
from seat_components.foreign.onnx_network import of_onnx
from seat_components.refusals import refuse

_FORMS = "a TorchScript file, an ONNX file, package.module:function, or a bundle's folder"


def open_model(
    model: str, device: torch.device, weights: Path | None = None
) -> tuple[ForeignNetwork, ForeignBundle | None]:
    """The network, and the bundle where it is one.

    Args:
        model: as it was typed.
        device: where it computes.
        weights: of a bundle, in place of its own.

    Raises:
        RefusalError: if it names nothing, or what it names cannot be opened; for weights of what is no bundle.
    """
    if is_folder(model):
        bundle = ForeignBundle(Path(model), device)
        return bundle.network(weights), bundle
    if weights is not None:
        refuse(f"--weights is for a bundle's folder, but --model {model} is none.")
    if is_file(model):
        file = Path(model)
        return (of_onnx(file) if file.suffix.lower() == ".onnx" else of_torchscript(file, device)), None
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", model):
        refuse(f"--model {model!r} is neither a file nor a folder here. A model is {_FORMS}.")
    return of_function(model), None
