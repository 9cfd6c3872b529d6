"""An exported ROG computes what the network computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.utils import convert_to_onnx, convert_to_torchscript
from torch import Tensor

from seat_components.networks import ROG
from seat_components.networks.rog import MEMORY_MODES

IMAGE = torch.rand(2, 1, 16, 32, 16, generator=torch.Generator().manual_seed(0))
STRIDES = [[1, 1, 1], [2, 2, 1], [1, 2, 2]]


@pytest.fixture(params=MEMORY_MODES)
def network(request: pytest.FixtureRequest) -> ROG:
    torch.manual_seed(0)
    return ROG(1, 3, STRIDES, memory=request.param).eval()


def assert_close(exported: Tensor, network: ROG) -> None:
    with torch.no_grad():
        expected = network(IMAGE)
    assert ((exported - expected).norm() / expected.norm()).item() < 1e-5


def test_torchscript(network: ROG, tmp_path: Path) -> None:
    script = convert_to_torchscript(network, filename_or_obj=str(tmp_path / "model.ts"))
    assert_close(torch.jit.load(tmp_path / "model.ts")(IMAGE), network)
    # A scripted network is not tied to the size of an example.
    assert script(torch.rand(1, 1, 8, 16, 16)).shape == (1, 3, 8, 16, 16)


@pytest.mark.slow
def test_traced_torchscript(network: ROG, tmp_path: Path) -> None:
    convert_to_torchscript(network, filename_or_obj=str(tmp_path / "model.ts"), inputs=[IMAGE], use_trace=True)
    assert_close(torch.jit.load(tmp_path / "model.ts")(IMAGE), network)


def test_torch_export(network: ROG) -> None:
    exported = torch.export.export(network, (IMAGE,))
    operators = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert "aten.conv3d.default" in operators
    assert_close(exported.module()(IMAGE), network)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="ONNX export needs the package's extra 'export'")
    runtime = pytest.importorskip("onnxruntime", reason="running ONNX needs the package's extra 'export'")
    torch.manual_seed(0)
    network = ROG(1, 3, STRIDES).eval()
    convert_to_onnx(
        network, [IMAGE], input_names=["image"], output_names=["pred"], filename=str(tmp_path / "model.onnx")
    )
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"image": IMAGE.numpy().astype(np.float32)})
    assert_close(torch.from_numpy(logits), network)
