"""Depthwise convolution and instance normalisation with fast, exact backward passes for channels-last volumes.

CPU libraries have a fast depthwise backward pass in 2-D only, and their 3-D normalisation is slow for channels-last
volumes. Both operators below compute what the stock PyTorch functions compute, and step aside for them while a
network is scripted, traced, exported or compiled, and where ``operators`` says so (see ``operators.runs_fast``).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from seat_components.networks.export import is_scripting
from seat_components.networks.operators import runs_fast, runs_own_functions

_SPATIAL = (2, 3, 4)


def channels_last(volume: Tensor) -> Tensor:
    """``volume`` (B, C, D, H, W) in channels-last memory layout; copied only if it is in another one."""
    return volume.contiguous(memory_format=torch.channels_last_3d)


def in_layout(volume: Tensor, operators: str = "auto") -> Tensor:
    """``volume`` (B, C, D, H, W) in the layout of the operators that read it; the stock ones take it as it is."""
    return channels_last(volume) if runs_fast(volume, operators) else volume


def depthwise_conv3d(volume: Tensor, weight: Tensor, stride: list[int], operators: str = "auto") -> Tensor:
    """Depthwise 3×3×3 convolution with padding 1 and no bias.

    Args:
        volume: (B, C, D, H, W).
        weight: (C, 1, 3, 3, 3).
        stride: three steps, in voxels.
        operators: "fast", "stock" or "auto".

    Returns:
        (B, C, ⌈D / stride⌉, …); 16-bit under autocast, like any convolution. It can be differentiated once.
    """
    if is_scripting():
        result = F.conv3d(volume, weight, None, stride, 1, 1, weight.shape[0])
    elif runs_own_functions(volume, operators):
        result = _depthwise_conv3d(volume, weight, (stride[0], stride[1], stride[2]))
    else:
        result = F.conv3d(volume, weight, None, stride, 1, 1, weight.shape[0])
    return result


def pointwise_conv3d(volume: Tensor, weight: Tensor, operators: str = "auto") -> Tensor:
    """1×1×1 convolution without bias.

    Args:
        volume: (B, C, D, H, W).
        weight: (K, C, 1, 1, 1).
        operators: "fast", "stock" or "auto".

    Returns:
        (B, K, D, H, W); 16-bit under autocast.
    """
    if is_scripting():
        result = F.conv3d(volume, weight)
    elif volume.device.type == "cpu" and runs_own_functions(volume, operators):
        result = _slicewise_conv(volume, weight)
    else:
        result = F.conv3d(volume, weight)
    return result


def instance_norm(
    volume: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    swish: bool,
    residual: Tensor | None = None,
    operators: str = "auto",
) -> Tensor:
    """Instance normalisation with affine, optionally followed by swish, x·sigmoid(x), or by a residual connection.

    Formula: (x − mean) / √(variance + eps) · weight + bias, with the statistics of each sample and channel.

    Args:
        volume: (B, C, D, H, W).
        weight: (C,).
        bias: (C,).
        eps: added to the variance.
        swish: whether swish follows.
        residual: (B, C, D, H, W), added to the result.
        operators: "fast", "stock" or "auto".

    Returns:
        The shape and type of ``volume``; 16-bit values are computed in float32. It can be differentiated once.
    """
    if not is_scripting() and runs_own_functions(volume, operators):
        result: Tensor = _InstanceNorm.apply(volume, weight, bias, eps, swish, residual)  # type: ignore[no-untyped-call]
    else:
        result = F.instance_norm(volume, None, None, weight, bias, True, 0.0, eps)
        result = F.silu(result) if swish else result
        result = result if residual is None else residual + result
    return result


def _depthwise_conv3d(volume: Tensor, weight: Tensor, stride: tuple[int, int, int]) -> Tensor:
    volume, weight = _autocast(volume), _autocast(weight)
    # A Function's backward computes the gradients of all its inputs, wanted or not. The weight gradient, which
    # attacks do not want, has therefore a node of its own: it takes part through a stand-in for the result.
    stand_in = _DepthwiseWeight.apply(volume.detach(), weight, stride)  # type: ignore[no-untyped-call]
    result: Tensor = _DepthwiseVolume.apply(volume, weight.detach(), stand_in, stride)  # type: ignore[no-untyped-call]
    return result


def _slicewise_conv(volume: Tensor, weight: Tensor) -> Tensor:
    """A 1×1×1 convolution as a 1×1 one of all slices, which are a view of a channels-last volume.

    PyTorch's 3-D one takes a slow path, which moreover leaves channels-last layout, on one thread and for small volumes
    of one sample; with few results, its weight gradient loses digits in large volumes. The 2-D one does neither.
    """
    batch, depth = volume.shape[0], volume.shape[2]
    slices = channels_last(volume).transpose(1, 2).flatten(0, 1)
    result = F.conv2d(slices, weight.squeeze(2))
    return result.view(batch, depth, *result.shape[1:]).transpose(1, 2)


def _autocast(tensor: Tensor) -> Tensor:
    """``tensor`` in the type in which autocast, if it is on, would give it to a convolution."""
    kind = tensor.device.type
    if tensor.dtype == torch.float64 or not torch.amp.is_autocast_available(kind):
        return tensor
    return tensor.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else tensor


class _DepthwiseVolume(Function):
    """The convolution itself, and the gradient of its input."""

    @staticmethod
    def forward(ctx: Any, volume: Tensor, weight: Tensor, stand_in: Tensor, stride: tuple[int, int, int]) -> Tensor:
        del stand_in
        ctx.save_for_backward(weight)
        ctx.stride, ctx.shape = stride, volume.shape
        return F.conv3d(volume, weight, None, stride, 1, 1, weight.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor, None]:
        (weight,) = ctx.saved_tensors
        # Gradients arrive in any layout; in another one than channels-last everything below would be slow.
        grad = channels_last(grad)
        if not ctx.needs_input_grad[0]:
            return None, None, grad, None
        spread = grad
        if tuple(ctx.stride) != (1, 1, 1):
            layout = torch.channels_last_3d
            spread = torch.empty(ctx.shape, dtype=grad.dtype, device=grad.device, memory_format=layout).zero_()
            depth, height, width = ctx.stride
            spread[:, :, ::depth, ::height, ::width] = grad
        return F.conv3d(spread, weight.flip(_SPATIAL), None, 1, 1, 1, weight.shape[0]), None, grad, None


class _DepthwiseWeight(Function):
    """The gradient of the weight. The forward result only has the convolution's shape, and no memory."""

    @staticmethod
    def forward(ctx: Any, volume: Tensor, weight: Tensor, stride: tuple[int, int, int]) -> Tensor:
        ctx.save_for_backward(volume)
        ctx.stride = stride
        size = [-(-length // step) for length, step in zip(volume.shape[2:], stride, strict=True)]
        return weight.new_zeros(()).expand(*volume.shape[:2], *size)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, None]:
        (volume,) = ctx.saved_tensors
        # A shifted stack of slices of one sample is a view, which saves a CPU a copy; a GPU wants few, large calls.
        samples = 1 if volume.device.type == "cpu" else len(volume)
        return None, _depthwise_weight_gradient(channels_last(volume), channels_last(grad), ctx.stride, samples), None


def _depthwise_weight_gradient(volume: Tensor, grad: Tensor, stride: tuple[int, int, int], samples: int) -> Tensor:
    """Weight gradient (C, 1, 3, 3, 3): for each depth of the kernel, a 2-D one over slices shifted in depth.

    It is taken for so many ``samples`` at once.
    """
    channels, depth, step = volume.shape[1], volume.shape[2], stride[0]
    result = volume.new_zeros((3, channels, 1, 3, 3), dtype=torch.promote_types(grad.dtype, torch.float32))
    kernel = volume.new_empty((channels, 1, 3, 3))
    for part_volume, part_grad in zip(volume.split(samples), grad.split(samples), strict=True):
        for offset in range(3):
            # Slice o of the result reads slice o·step + offset − 1, where there is one.
            first = 1 if offset == 0 else 0
            last = min(grad.shape[2], (depth - offset) // step + 1)
            if first >= last:
                continue
            start = first * step + offset - 1
            _, part, _ = torch.ops.aten.convolution_backward(
                _slices(part_grad[:, :, first:last]),
                _slices(part_volume[:, :, start : start + (last - first - 1) * step + 1 : step]),
                kernel,
                None,
                stride[1:],
                (1, 1),
                (1, 1),
                False,
                (0, 0),
                channels,
                (False, True, False),
            )
            result[offset] += part
    return result.permute(1, 2, 0, 3, 4).to(volume.dtype)


def _slices(volume: Tensor) -> Tensor:
    """A channels-last volume (B, C, D, H, W) as a channels-last stack of slices (B·D, C, H, W)."""
    return volume.permute(0, 2, 3, 4, 1).flatten(0, 1).permute(0, 3, 1, 2)


class _InstanceNorm(Function):
    """Instance normalisation, affine, swish and residual in one; keeps its input and the statistics only.

    Memory traffic is what it costs, so every step that can be written over a buffer is.
    """

    @staticmethod
    def forward(
        ctx: Any, volume: Tensor, weight: Tensor, bias: Tensor, eps: float, swish: bool, residual: Tensor | None
    ) -> Tensor:
        values = volume.to(torch.promote_types(volume.dtype, torch.float32))
        # Mean first and then centred squares: as accurate as the stock form, and faster than one pass by Welford.
        mean = values.mean(_SPATIAL, keepdim=True)
        buffer = values - mean
        rstd = (buffer.square_().mean(_SPATIAL, keepdim=True) + eps).rsqrt_()
        ctx.save_for_backward(volume, mean, rstd, weight, bias)
        ctx.swish = swish
        # Centred before scaled: where the mean is large beside the deviation, x·a + b would lose digits.
        torch.sub(values, mean, out=buffer)
        torch.addcmul(_per_channel(bias), buffer, rstd * _per_channel(weight), out=buffer)
        if swish:
            F.silu(buffer, inplace=True)
        if residual is None:
            return buffer.to(volume.dtype)
        return buffer.add_(residual).to(torch.promote_types(volume.dtype, residual.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, Tensor | None]:
        volume, mean, rstd, weight, bias = ctx.saved_tensors
        grad_residual = grad if ctx.needs_input_grad[5] else None
        grad = channels_last(grad).to(mean.dtype)
        scale = rstd * _per_channel(weight)
        centred = volume - mean
        if ctx.swish:
            activated = torch.addcmul(_per_channel(bias), centred, scale)
            grad = torch.ops.aten.silu_backward.grad_input(grad, activated, grad_input=activated)
        total = grad.sum(_SPATIAL, keepdim=True)
        product = (grad * centred).sum(_SPATIAL, keepdim=True) * rstd
        # The mean and the variance depend on the input as well: their shares are subtracted.
        voxels = volume[0, 0].numel()
        result = torch.addcmul(total * scale / -voxels, centred, product * scale * rstd / -voxels, out=centred)
        result.addcmul_(grad, scale)
        grad_weight, grad_bias = product.sum((0, *_SPATIAL)), total.sum((0, *_SPATIAL))
        return (
            result.to(volume.dtype),
            grad_weight.to(weight.dtype),
            grad_bias.to(bias.dtype),
            None,
            None,
            grad_residual,
        )


def _per_channel(parameter: Tensor) -> Tensor:
    """A vector (C,) as (C, 1, 1, 1), which broadcasts over volumes."""
    return parameter.view(-1, 1, 1, 1)
