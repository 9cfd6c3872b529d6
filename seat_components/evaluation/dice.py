"""Dice, with one rule for absent classes, used by validation, evaluation, attacks and reports alike."""

from __future__ import annotations

from typing import Any

import torch
from monai.handlers import IgniteMetricHandler, from_engine
from monai.metrics import DiceMetric, compute_dice
from torch import Tensor

ABSENT_CLASS_RULE = (
    "A class that is absent from both prediction and label scores 1 (nothing to find, nothing found); one that is "
    "absent from the label but predicted scores 0. Every case counts; means are over foreground classes, then cases."
)


def dice_per_class(prediction: Tensor, label: Tensor, classes: int) -> Tensor:
    """Dice of each foreground class.

    Args:
        prediction: class indices, (B, 1, *spatial).
        label: class indices, (B, 1, *spatial).
        classes: number of classes K, background included.

    Returns:
        (B, K − 1), float64; see ``ABSENT_CLASS_RULE``.
    """
    dice = compute_dice(prediction, label, include_background=False, ignore_empty=False, num_classes=classes)
    return torch.as_tensor(dice).double()


def dice_of_structures(prediction: Tensor, label: Tensor) -> Tensor:
    """Dice (B, K) of K structures that may overlap, each by the rule above; both (B, K, *spatial) of 0 and 1."""
    pairs = zip(prediction.split(1, dim=1), label.split(1, dim=1), strict=True)
    return torch.cat([dice_per_class(one, own, 2) for one, own in pairs], dim=1)


class ForegroundDice(IgniteMetricHandler):
    """Mean foreground Dice as a MONAI metric handler; the details hold each case's Dice per class, (cases, K − 1).

    Args:
        classes: number of classes K, background included.
    """

    def __init__(self, classes: int) -> None:
        metric = DiceMetric(include_background=False, reduction="mean", ignore_empty=False, num_classes=classes)
        super().__init__(metric_fn=metric, output_transform=_side_by_side, save_details=True)


def _side_by_side(output: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Predictions and labels of an engine's output, on one device, as large volumes are predicted onto the CPU."""
    predictions, labels = from_engine(["pred", "label"])(output)
    return [one.to(own.device) for one, own in zip(predictions, labels, strict=True)], labels
