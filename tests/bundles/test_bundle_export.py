"""The bundle's network exports to TorchScript and ONNX with MONAI's own commands, with equal results."""

import onnxruntime
import pytest
import torch
from bundle_runs import files
from monai.bundle import ckpt_export, onnx_export

from seat_components.networks import ROG

STRIDES = [[1, 1, 1], [1, 1, 1], [2, 2, 2]]
SHAPE = (1, 1, 16, 16, 16)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return ROG(1, 3, STRIDES).eval()


@pytest.fixture
def arguments(bundle, network, tmp_path):
    weights = tmp_path / "weights.pt"
    torch.save(network.state_dict(), weights)
    return {
        "net_id": "network_def",
        "ckpt_file": str(weights),
        "meta_file": str(bundle / "configs" / "metadata.json"),
        "config_file": files(bundle, ["inference"])[0],
    }


def output(network, image):
    with torch.no_grad():
        return network(image)


@pytest.mark.slow
def test_torchscript(network, arguments, tmp_path):
    ckpt_export(filepath=str(tmp_path / "model.ts"), **arguments)
    image = torch.randn(SHAPE)
    exported = torch.jit.load(tmp_path / "model.ts")
    assert torch.allclose(output(exported, image), output(network, image), atol=1e-5)


@pytest.mark.slow
def test_onnx(network, arguments, tmp_path):
    onnx_export(filepath=str(tmp_path / "model.onnx"), input_shape=SHAPE, **arguments)
    image = torch.randn(SHAPE)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    assert torch.allclose(torch.from_numpy(logits), output(network, image), atol=1e-5)
