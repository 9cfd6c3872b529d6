"""A scan with a sphere in it, its label, and what corruptions make of them."""

from __future__ import annotations

import torch
from monai.data import MetaTensor

from seat_components.corruptions import Corruptd

SPACING = (1.0, 1.25, 2.0)


def sphere(channels=1, ct=False, size=(28, 24, 20)):
    """A bright sphere before a dim slope, and its label."""
    axes = torch.meshgrid(*(torch.arange(length, dtype=torch.float32) for length in size), indexing="ij")
    distance = sum(
        ((axis - length / 2) * step) ** 2 for axis, length, step in zip(axes, size, SPACING, strict=True)
    ).sqrt()
    label = (distance < 9).to(torch.uint8)
    # Wider in CT than any window.
    low, high = (-1500.0, 1500.0) if ct else (20.0, 100.0)
    image = torch.where(label > 0, high, low + axes[0] / 4)
    affine = torch.diag(torch.tensor([*SPACING, 1.0]))
    images = torch.stack([image * (1 + channel) for channel in range(channels)])
    return MetaTensor(images, affine=affine), MetaTensor(label[None], affine=affine)


def corrupted(name, severity, ct=False, seed=0, case="one", channels=1):
    """(image, label) under a corruption; severity 0 is the scan as it was."""
    image, label = sphere(channels, ct)
    sample = {"image": image, "label": label, "case": case, "corruption": name, "severity": severity}
    result = Corruptd(ct, seed)(sample)
    return result["image"], result["label"]
