"""What an attack accepts as image, label and numbers, and the errors that say why not."""

from __future__ import annotations

import torch
from monai.data import MetaTensor
from torch import Tensor

from seat_components.attacks.reading import Reading


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


def check_label(label: Tensor, image: Tensor, reading: Reading) -> int:
    """Check a label (B, 1 or K, *spatial) against its image (B, C, *spatial); returns its highest class number.

    Raises:
        ValueError: if its shape does not fit, its type is not an integer one, or a value is none of a class.
    """
    overlapping = reading.outputs == "sigmoid"
    structures = label.shape[1] if overlapping and label.ndim > 1 else 1
    wanted = (image.shape[0], structures, *image.shape[2:])
    if tuple(label.shape) != wanted or not label.numel():
        rule = f"({len(image)}, K, …), with a channel per structure" if overlapping else str(wanted)
        raise ValueError(f"label has shape {tuple(label.shape)}, but for image {tuple(image.shape)} it must be {rule}")
    if label.is_floating_point() or label.is_complex():
        raise ValueError(f"label is {label.dtype}, but it holds class numbers: pass label.long()")
    counts = reading.counts(label)
    lowest, highest = (int(extreme) for extreme in torch.aminmax(label if counts is None else label.where(counts, 0)))
    if lowest < 0:
        raise ValueError(
            f"label holds {lowest}, but class numbers start at 0: name a value that does not count as ignore_index"
        )
    if overlapping and highest > 1:
        raise ValueError(f"label holds {highest}, but for outputs='sigmoid' each channel holds 0 and 1")
    return highest


def check_logits(logits: object, label: Tensor, highest_label: int, reading: Reading) -> None:
    """Check a predictor's answer (B, K, *spatial) against ``label`` (B, 1 or K, *spatial).

    Raises:
        ValueError: if it is not one tensor, its shape does not fit, there are fewer than two classes, or the label
            holds a class that the logits lack.
    """
    if not isinstance(logits, Tensor):
        raise ValueError(f"predictor returned {type(logits).__name__}, but it must return one tensor of logits")
    shape = tuple(logits.shape)
    fits = len(shape) == label.ndim and shape[0] == len(label) and shape[2:] == tuple(label.shape[2:])
    if reading.outputs == "sigmoid":
        if not fits or shape[1] != label.shape[1]:
            raise ValueError(
                f"predictor returned logits of shape {shape} for a label of {tuple(label.shape)}, "
                "but for outputs='sigmoid' the two are alike: (B, K, *spatial)"
            )
        return
    if not fits or shape[1] < 2:
        raise ValueError(
            f"predictor returned logits of shape {shape} for a label of {tuple(label.shape)}, "
            "but they must be (B, K, *spatial) with the image's B and spatial size, and K ≥ 2; "
            "for a single structure, or structures that overlap, give outputs='sigmoid'"
        )
    if highest_label >= shape[1]:
        raise ValueError(
            f"label holds class {highest_label}, but the logits have the classes 0 … {shape[1] - 1} only: "
            "name a value that does not count as ignore_index"
        )


def check_counts(**counts: int) -> None:
    """Check numbers of steps, restarts or draws.

    Raises:
        ValueError: if one of them is below 1.
    """
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} is {count}, but it must be at least 1")
