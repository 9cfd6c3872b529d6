"""What a network makes of an image, scored against the label."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seat_components.attacks import Predictor
from seat_components.attacks.inputs import check_image, check_label, check_logits
from seat_components.attacks.predictor import ask
from seat_components.attacks.reading import Reading, not_finite
from seat_components.evaluation.case import Case
from seat_components.evaluation.dice import dice_of_structures, dice_per_class
from seat_components.evaluation.sizes import volumes_ml


@dataclass(frozen=True)
class Answer:
    """A network's answer for one image: logits (1, K, *spatial), classes of the label's shape, Dice (1, structures).

    Attributes:
        failed: share of the voxels with a logit that is not finite.
    """

    logits: Tensor
    prediction: Tensor
    dice: Tensor
    failed: float


@dataclass(frozen=True)
class Scorer:
    """How answers are read and scored.

    Attributes:
        labels: names of the structures that are scored.
        reading: how logits are read.
        bounds: (lo, hi) for inputs of a fixed range; None for each sample's and channel's own.
        draws: a network is asked so often; Dice is the mean, prediction and logits are those of the first time.
    """

    labels: list[str]
    reading: Reading
    bounds: tuple[float, float] | None
    draws: int

    def check(self, case: Case) -> None:
        """Check a case before anything is computed.

        Raises:
            ValueError: naming the case, and what about its image or label cannot be attacked.
        """
        try:
            check_image(case.image, self.bounds)
            check_label(case.label, case.image, self.reading)
        except ValueError as error:
            raise ValueError(f"{case.name}: {error}") from error
        if len(case.image) != 1:
            raise ValueError(
                f"{case.name}: the image has {len(case.image)} samples, but a case is one: (1, C, *spatial)"
            )

    def first_answer(self, predictor: Predictor, case: Case) -> Answer:
        """The answer for the clean image.

        Raises:
            ValueError: naming the case, if the network cannot take the image, or its answer does not fit the label.
        """
        try:
            return self.answer(predictor, case.image, case.label)
        except torch.OutOfMemoryError:
            raise
        except ValueError as error:
            raise ValueError(f"{case.name}: {error}") from error
        except Exception as error:  # a network's code raises whatever it does
            raise ValueError(
                f"{case.name}: the network cannot take this image of {tuple(case.image.shape)}, {case.image.dtype}, on "
                f"{case.image.device}: {type(error).__name__}: {error}"
            ) from error

    def answer(self, predictor: Predictor, image: Tensor, label: Tensor) -> Answer:
        """Predict and score an image."""
        answers = [self._answer(predictor, image, label) for _ in range(self.draws)]
        if self.draws == 1:
            return answers[0]
        dice = torch.stack([answer.dice for answer in answers]).mean(dim=0)
        failed = max(answer.failed for answer in answers)
        return Answer(answers[0].logits, answers[0].prediction, dice, failed)

    def _answer(self, predictor: Predictor, image: Tensor, label: Tensor) -> Answer:
        with torch.no_grad():
            logits = ask(predictor, image)
        overlapping = self.reading.outputs == "sigmoid"
        classes = len(self.labels) + (0 if overlapping else 1)
        check_logits(logits, label, 0, self.reading)
        if logits.shape[1] != classes:
            background = "none of them the background" if overlapping else "background included"
            raise ValueError(f"The network has {logits.shape[1]} classes, but {classes} are named, {background}")
        prediction, dice = self._scored(logits, label)
        return Answer(logits, prediction, dice, float(not_finite(logits).double().mean()))

    def mean_dice(self, logits: Tensor, label: Tensor) -> float:
        """Mean Dice over the structures, of logits (1, K, *spatial)."""
        return float(self._scored(logits.detach(), label)[1].mean())

    def _scored(self, logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Predicted classes, of the label's shape, and Dice (1, structures)."""
        prediction, true = self.reading.classes(logits, label.long())
        if self.reading.outputs == "sigmoid":
            return prediction, dice_of_structures(prediction, true)
        return prediction, dice_per_class(prediction, true, logits.shape[1])

    def volumes(self, case: Case) -> dict[str, float]:
        """The labelled volume of each structure in ml."""
        if self.reading.outputs == "softmax":
            return volumes_ml(case.label, case.voxel_mm3, self.labels)
        channels = zip(self.labels, case.label.split(1, dim=1), strict=True)
        return {name: volumes_ml(channel, case.voxel_mm3, [name])[name] for name, channel in channels}
