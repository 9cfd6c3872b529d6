"""A network's two forms: they compute the same, each in its own layout, and with no more operators than now."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from seat_components.networks import ROG, on_device, upsampling
from seat_components.networks.operators import runs_own_functions

STRIDES = [[1, 1, 1], [1, 1, 1], [2, 2, 2]]
# What only says how memory is read; a device is asked for all the others.
VIEWS = {"alias", "as_strided", "detach", "expand", "permute", "select", "slice", "split", "squeeze"}
VIEWS |= {"t", "transpose", "unsqueeze", "view", "_unsafe_view"}
# A forward pass and a backward pass, to weights and image, as a GPU issues them.
MOST_OPERATORS = {"stock": 781, "fast": 2471}


class Issued(TorchDispatchMode):
    """Counts the operators that are no views."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.overloadpacket.__name__ not in VIEWS
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("form", MOST_OPERATORS)
def test_a_step_issues_no_more_operators_than_it_did(form: str) -> None:
    network = ROG(1, 3, STRIDES, operators=form).to("meta")
    image = torch.zeros(2, 1, 16, 24, 16, device="meta", requires_grad=True)
    network(image).sum().backward()
    network.zero_grad()
    image.grad = None
    with Issued() as issued:
        network(image).sum().backward()
    assert issued.count <= MOST_OPERATORS[form]


def gradients(network: nn.Module, image: Tensor) -> list[Tensor]:
    """Logits, and the gradients of image and weights, of a loss that is not linear."""
    image = image.clone().requires_grad_()
    logits = network(image)
    return [logits, *torch.autograd.grad(logits.square().sum(), [image, *network.parameters()])]


def test_both_forms_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = ROG(1, 3, STRIDES).double()
    # Below 8 voxels on the coarsest level, normalising magnifies every rounding.
    image = torch.rand(1, 1, 16, 16, 16, dtype=torch.float64)
    expected = gradients(network, image)
    network.operators = "stock"
    assert_same(gradients(network, image), expected)
    # As it runs off the CPU, in the mode that keeps the least.
    monkeypatch.setattr("seat_components.networks.rog.upsample", by_matrices)
    network.memory = "checkpoint"
    assert_same(gradients(network, image), expected)


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert ((ours - theirs).norm() / theirs.norm()).item() < 1e-10


def by_matrices(volume: Tensor, scale: list[float]) -> Tensor:
    return upsampling._upsample_by_matrices(volume, scale)


def test_the_stock_form_leaves_the_usual_layout_alone() -> None:
    network = ROG(1, 2, STRIDES, operators="stock")
    seen: list[bool] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d):
            layer.register_forward_hook(lambda _layer, _inputs, output: seen.append(output.is_contiguous()))
    network(torch.rand(1, 1, 8, 8, 16))
    assert seen
    assert all(seen)


def test_auto_goes_by_the_device() -> None:
    volumes = {kind: torch.zeros(1, device=kind) for kind in ("cpu", "meta")}
    assert all(runs_own_functions(volume, "auto") for volume in volumes.values())
    assert not any(runs_own_functions(volume, "stock") for volume in volumes.values())
    network = ROG(1, 2, STRIDES)
    # The meta device stands for any that is no CPU: the network is told where it is going.
    assert on_device(network, "meta").operators == "stock"
    assert {layer.operators for layer in network.modules() if hasattr(layer, "operators")} == {"stock"}
    assert on_device(network, "meta", "fast").operators == "fast"
    assert on_device(ROG(1, 2, STRIDES), "cpu").operators == "fast"


def test_a_network_without_a_choice_says_so(caplog: pytest.LogCaptureFixture) -> None:
    on_device(nn.Conv3d(1, 2, 1), "cpu")
    assert not caplog.messages
    on_device(nn.Conv3d(1, 2, 1), "cpu", "fast")
    assert caplog.messages == ["operators=fast is ignored: Conv3d has stock operators only."]


def test_the_console_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    on_device(ROG(1, 2, STRIDES), "cpu", "stock")
    assert caplog.messages == ["The network runs stock operators on cpu."]


def test_other_operators_are_refused() -> None:
    with pytest.raises(ValueError, match="auto, fast, stock"):
        ROG(1, 2, STRIDES, operators="slow")
    with pytest.raises(ValueError, match="auto, fast, stock"):
        on_device(nn.Conv3d(1, 2, 1), "cpu", "slow")
