"""The operators equal the stock ones, in value and gradient, in every layout, stride and precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seat_components.networks import fast_ops
from seat_components.networks.fast_ops import channels_last, depthwise_conv3d, instance_norm, pointwise_conv3d

STRIDES = [[1, 1, 1], [2, 2, 2], [2, 2, 1], [2, 1, 1], [1, 1, 2], [3, 2, 1]]
SIZES = [(6, 4, 8), (5, 7, 3), (1, 4, 2), (2, 1, 1), (12, 6, 6)]
EPS = 1e-5


def stock_depthwise(volume: Tensor, weight: Tensor, stride: list[int]) -> Tensor:
    return F.conv3d(volume, weight, None, stride, 1, 1, weight.shape[0])


def stock_norm(
    volume: Tensor, weight: Tensor, bias: Tensor, eps: float, swish: bool, residual: Tensor | None = None
) -> Tensor:
    result = F.instance_norm(volume, weight=weight, bias=bias, eps=eps)
    result = result * result.sigmoid() if swish else result
    return result if residual is None else residual + result


def double(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def assert_same(fast: Callable[..., Tensor], stock: Callable[..., Tensor], *tensors: Tensor, tolerance: float) -> None:
    """Equal results and gradients, also for gradients in another layout, or with holes in memory."""
    expected, result = stock(*tensors), fast(*tensors)
    torch.testing.assert_close(result, expected, rtol=tolerance, atol=tolerance)
    grad = torch.randn_like(expected)
    holed = torch.empty(*grad.shape, 2, dtype=grad.dtype)[..., 0].copy_(grad)
    for layout in (grad.contiguous(), channels_last(grad), holed, grad.sum((1, 2, 3, 4), keepdim=True).expand_as(grad)):
        wanted = torch.autograd.grad(expected, tensors, layout, retain_graph=True)
        for ours, theirs in zip(torch.autograd.grad(result, tensors, layout, retain_graph=True), wanted, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch_channels", [(1, 1), (3, 1), (1, 5), (3, 4)])
def test_depthwise_equals_the_stock_convolution(
    batch_channels: tuple[int, int], size: tuple[int, int, int], layout: torch.memory_format
) -> None:
    volume = double(*batch_channels, *size).detach().contiguous(memory_format=layout).requires_grad_()
    for stride in STRIDES:
        assert_same(
            lambda volume, weight, stride=stride: depthwise_conv3d(volume, weight, stride),
            lambda volume, weight, stride=stride: stock_depthwise(volume, weight, stride),
            volume,
            double(batch_channels[1], 1, 3, 3, 3),
            tolerance=1e-12,
        )


@pytest.mark.parametrize("stride", STRIDES)
def test_weight_gradients_of_several_samples_at_once_are_the_same(stride: list[int]) -> None:
    """A GPU takes the whole batch at once, a CPU one sample at a time."""
    volume = channels_last(double(3, 4, 6, 5, 8).detach())
    grad = channels_last(torch.randn_like(stock_depthwise(volume, double(4, 1, 3, 3, 3).detach(), stride)))
    one, two, all_ = (fast_ops._depthwise_weight_gradient(volume, grad, tuple(stride), count) for count in (1, 2, 3))
    torch.testing.assert_close(two, one)
    torch.testing.assert_close(all_, one)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("swish", [False, True])
@pytest.mark.parametrize("shape", [(3, 4, 6, 4, 8), (1, 1, 5, 7, 3), (2, 5, 1, 1, 2)])
def test_norm_equals_the_stock_norm(shape: tuple[int, ...], swish: bool, layout: torch.memory_format) -> None:
    volume = double(*shape).detach().mul(3).add(7).contiguous(memory_format=layout).requires_grad_()
    assert_same(
        lambda volume, weight, bias: instance_norm(volume, weight, bias, EPS, swish),
        lambda volume, weight, bias: stock_norm(volume, weight, bias, EPS, swish),
        volume,
        double(shape[1]),
        double(shape[1]),
        tolerance=1e-11,
    )


def test_residual_is_added_after_the_norm() -> None:
    tensors = (double(3, 4, 6, 4, 8), double(4), double(4), double(3, 4, 6, 4, 8))
    assert_same(
        lambda volume, weight, bias, residual: instance_norm(volume, weight, bias, EPS, False, residual),
        lambda volume, weight, bias, residual: stock_norm(volume, weight, bias, EPS, False, residual),
        *tensors,
        tolerance=1e-11,
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_pointwise_equals_the_stock_convolution(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert_same(pointwise_conv3d, F.conv3d, double(3, 4, 5, 2, 3), double(6, 4, 1, 1, 1), tolerance=1e-12)
    finally:
        torch.set_num_threads(before)


def test_gradients_are_those_of_finite_differences() -> None:
    volume, kernel, weight, bias = double(2, 3, 4, 3, 5), double(3, 1, 3, 3, 3), double(3), double(3)
    for stride in STRIDES:
        assert torch.autograd.gradcheck(lambda v, k, s=stride: depthwise_conv3d(v, k, s), (volume, kernel))
    for swish in (False, True):
        assert torch.autograd.gradcheck(lambda v, w, b, s=swish: instance_norm(v, w, b, EPS, s), (volume, weight, bias))
    assert torch.autograd.gradcheck(
        lambda v, w, b, r: instance_norm(v, w, b, EPS, False, r), (volume, weight, bias, double(2, 3, 4, 3, 5))
    )


def test_norm_keeps_its_digits_far_from_zero() -> None:
    volume = channels_last(torch.randn(1, 8, 16, 16, 16) + 1000)
    result = instance_norm(volume, torch.ones(8), torch.zeros(8), EPS, swish=False)
    expected = F.instance_norm(volume.double(), eps=EPS)
    assert (result - expected).abs().max() < 2e-4


def test_constant_channel_becomes_its_bias() -> None:
    result = instance_norm(torch.full((1, 2, 4, 4, 4), 3.7), torch.ones(2), torch.tensor([0.5, -2.0]), EPS, swish=False)
    torch.testing.assert_close(result.mean((0, 2, 3, 4)), torch.tensor([0.5, -2.0]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("wanted", [0, 1])
def test_gradients_that_nobody_wants_are_not_computed(wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def note_call(_volume: Tensor, grad: Tensor, *_: object) -> Tensor:
        calls.append(1)
        return grad.new_zeros((3, 1, 3, 3, 3))

    monkeypatch.setattr("seat_components.networks.fast_ops._depthwise_weight_gradient", note_call)
    tensors = (double(1, 3, 4, 4, 4), double(3, 1, 3, 3, 3))
    torch.autograd.grad(depthwise_conv3d(*tensors, [1, 1, 1]).sum(), tensors[wanted])
    assert len(calls) == wanted


def test_second_derivatives_are_refused_not_wrong() -> None:
    volume = double(1, 2, 4, 4, 4)
    for result in (
        depthwise_conv3d(volume, double(2, 1, 3, 3, 3), [1, 1, 1]),
        instance_norm(volume, double(2), double(2), EPS, swish=True),
    ):
        (grad,) = torch.autograd.grad(result.square().sum(), volume, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            grad.sum().backward()


def test_autocast_gives_16_bit_results_and_float32_weight_gradients() -> None:
    volume = torch.randn(2, 3, 4, 4, 4, requires_grad=True)
    kernel, weight, bias = (torch.randn(shape, requires_grad=True) for shape in [(3, 1, 3, 3, 3), (3,), (3,)])
    with torch.autocast("cpu", torch.bfloat16):
        convolved = depthwise_conv3d(volume, kernel, [2, 1, 1])
        result = instance_norm(convolved, weight, bias, EPS, swish=True)
    assert convolved.dtype == result.dtype == torch.bfloat16
    result.float().square().sum().backward()
    full = stock_norm(stock_depthwise(volume, kernel, [2, 1, 1]), weight, bias, EPS, swish=True)
    expected = torch.autograd.grad(full.square().sum(), (volume, kernel, weight, bias))
    for tensor, grad in zip((volume, kernel, weight, bias), expected, strict=True):
        assert tensor.grad is not None
        assert tensor.grad.dtype == torch.float32
        assert (tensor.grad - grad).norm() < 0.05 * grad.norm()
