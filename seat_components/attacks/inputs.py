"""What an attack accepts as image, label and numbers, and the errors that say why not."""

from __future__ import annotations

import torch
from monai.data import MetaTensor
from torch import Tensor


def plain(tensor: Tensor) -> Tensor:
    """``tensor`` without metadata and gradient history, usable in a graph (also if made in inference mode)."""
    tensor = tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def check_image(image: Tensor, bounds: tuple[float, float] | None) -> None:
    """Check an image (B, C, *spatial) against an attack's rules.

    Raises:
        ValueError: if it has no spatial axis, is empty, is not of a floating-point type, is not finite, or leaves
            ``bounds``.
    """
    if image.ndim < 3 or image.numel() == 0:
        raise ValueError(f"image has shape {tuple(image.shape)}, but it must be (B, C, *spatial) and not be empty")
    if not image.is_floating_point():
        raise ValueError(f"image is {image.dtype}, but intensities must be floating-point: pass image.float()")
    low, high = (float(extreme) for extreme in torch.aminmax(image))
    if not (-float("inf") < low and high < float("inf")):
        raise ValueError("image holds NaN or infinity: there is no intensity range to attack within; repair it first")
    if bounds is not None and (low < bounds[0] or high > bounds[1]):
        raise ValueError(
            f"image holds {low:g} … {high:g}, outside bounds {bounds}: "
            "give the bounds of your inputs, or none for each sample's own range"
        )


def check_label(label: Tensor, image: Tensor) -> int:
    """Check a label (B, 1, *spatial) against its image (B, C, *spatial); returns its highest class number.

    Raises:
        ValueError: if its shape does not fit, its type is not an integer one, or a value is negative.
    """
    wanted = (image.shape[0], 1, *image.shape[2:])
    if tuple(label.shape) != wanted:
        raise ValueError(
            f"label has shape {tuple(label.shape)}, but for image {tuple(image.shape)} it must be {wanted}"
        )
    if label.is_floating_point() or label.is_complex():
        raise ValueError(f"label is {label.dtype}, but it holds class numbers: pass label.long()")
    lowest, highest = (int(extreme) for extreme in torch.aminmax(label))
    if lowest < 0:
        raise ValueError(f"label holds {lowest}, but class numbers start at 0")
    return highest


def check_logits(logits: object, image: Tensor, highest_label: int) -> None:
    """Check a predictor's answer (B, K, *spatial) for ``image`` (B, C, *spatial).

    Raises:
        ValueError: if it is not one tensor, its shape does not fit, there are fewer than two classes, or the label
            holds a class that the logits lack.
    """
    if not isinstance(logits, Tensor):
        raise ValueError(f"predictor returned {type(logits).__name__}, but it must return one tensor of logits")
    shape = tuple(logits.shape)
    if len(shape) != image.ndim or shape[0] != len(image) or shape[2:] != tuple(image.shape[2:]) or shape[1] < 2:
        raise ValueError(
            f"predictor returned logits of shape {shape} for image {tuple(image.shape)}, "
            "but they must be (B, K, *spatial) with the image's B and spatial size, and K ≥ 2"
        )
    if highest_label >= shape[1]:
        raise ValueError(f"label holds class {highest_label}, but the logits have the classes 0 … {shape[1] - 1} only")


def check_counts(steps: int, restarts: int) -> None:
    """Check the numbers of steps and restarts.

    Raises:
        ValueError: if one of them is below 1.
    """
    for name, count in (("steps", steps), ("restarts", restarts)):
        if count < 1:
            raise ValueError(f"{name} is {count}, but it must be at least 1")
