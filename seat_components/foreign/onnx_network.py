"""A network in an ONNX file: onnxruntime answers, and there is no gradient to follow."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seat_components.evaluation.identity import sha256
from seat_components.files import is_file
from seat_components.foreign.network import ForeignNetwork
from seat_components.refusals import reason, refuse

_KINDS = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16, "tensor(double)": torch.float64}


class OnnxNetwork(nn.Module):
    """The network in an ONNX file, on the CPU.

    Args:
        file: the ONNX file, of one input.

    Raises:
        RefusalError: if onnxruntime is not installed, or cannot open the file, or the network has several inputs.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        if find_spec("onnxruntime") is None:
            refuse(f"{file} needs onnxruntime, which is not installed: pip install onnxruntime")
        import onnxruntime  # noqa: PLC0415 - an optional extra

        try:
            self.session: Any = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own kinds, one for each fault
            refuse(f"{file} is no ONNX file that onnxruntime can run: {reason(error)}.")
        inputs = {value.name: value.type for value in self.session.get_inputs()}
        if len(inputs) != 1 or not set(inputs.values()) <= set(_KINDS):
            refuse(f"{file} takes {inputs}, but it must take one image of floating-point numbers.")
        ((self.input, kind),) = inputs.items()
        self.dtype = _KINDS[kind]

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """The network's answer for an image (1, C, *spatial): a tensor, or a list where it has several outputs."""
        values = image.detach().cpu().to(self.dtype).numpy()
        try:
            answers = self.session.run(None, {self.input: values})
        except Exception as error:  # onnxruntime's own kinds
            raise RuntimeError(reason(error)) from error
        tensors = [torch.from_numpy(answer).to(image.device, image.dtype) for answer in answers]
        return tensors[0] if len(tensors) == 1 else tensors


def of_onnx(file: Path) -> ForeignNetwork:
    """The network in an ONNX file; its hash takes in the file of large weights beside it, ``<name>.data``.

    Raises:
        RefusalError: as ``OnnxNetwork``.
    """
    network, beside = OnnxNetwork(file), file.with_name(f"{file.name}.data")
    digest = sha256(file)
    if is_file(beside):
        digest = hashlib.sha256(f"{digest}{sha256(beside)}".encode()).hexdigest()
    return ForeignNetwork(file.name, network, digest, has_gradients=False)
