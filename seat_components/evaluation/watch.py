"""What an attack comes by on its way: the image of lowest Dice, kept, and the end of an attack that finds no more."""

from __future__ import annotations

from torch import Tensor

from seat_components.attacks import CountingPredictor, Predictor
from seat_components.attacks.reading import not_finite
from seat_components.budget import IntensityBudget
from seat_components.evaluation.case import Case
from seat_components.evaluation.scoring import Answer, Scorer

LEAST_FALL = 0.001
"""Dice by which an attack must have lowered the case for its patience to begin anew."""


class AttackEndedError(Exception):
    """Raised through an attack that need not go on; ``image`` (1, C, *spatial) is its result."""

    def __init__(self, image: Tensor) -> None:
        super().__init__("the attack need not go on")
        self.image = image


class AnswerWatch(CountingPredictor):
    """A predictor that counts passes, and keeps the best image that an attack asks about.

    An attack climbs a loss; what counts is Dice. Of all images inside the budget that it asks about, the one of lowest
    mean Dice is kept: whoever attacks would keep it too. At an image for which a logit is not finite, where the clean
    one's were, the network has no answer: it counts as Dice 0. Dice 0 ends the attack.

    Args:
        predictor: image → logits.
        case: the case under attack, a single sample.
        budget: what may be done to its image.
        scorer: how answers are scored.
        clean: the answer for the clean image.
        keeps_lowest: whether Dice is looked at; otherwise only logits that are not finite are.
        patience: the attack ends where so many images in a row, inside the budget, have not lowered Dice by
            ``LEAST_FALL`` since it was last lowered by that much; None for never.
        enough: the attack also ends at an image whose Dice is below this.

    Attributes:
        image: the image of lowest Dice, (1, C, *spatial); None where there was none inside the budget.
        dice: its mean Dice, 0 where logits are not finite.
    """

    def __init__(
        self,
        predictor: Predictor,
        case: Case,
        budget: IntensityBudget,
        scorer: Scorer,
        clean: Answer,
        keeps_lowest: bool = True,
        patience: int | None = None,
        enough: float = 0.0,
    ) -> None:
        super().__init__(predictor)
        self.case, self.budget, self.scorer, self.clean = case, budget, scorer, clean
        self.keeps_lowest, self.patience, self.enough = keeps_lowest, patience, enough
        self.image: Tensor | None = None
        self.dice = self._reference = float("inf")
        self._waited = 0

    def __call__(self, image: Tensor) -> Tensor:
        """The predictor's logits, (1, K, *spatial).

        Raises:
            AttackEndedError: where the attack need not go on.
        """
        given = image.detach().clone()  # some networks change their input in place
        logits = super().__call__(image)
        self._look(given, logits)
        return logits

    def _look(self, image: Tensor, logits: Tensor) -> None:
        fails = self.clean.failed == 0 and bool(not_finite(logits).any())
        if not (fails or self.keeps_lowest) or not self.budget.holds(image, self.case.image):
            return
        dice = 0.0 if fails else self.scorer.mean_dice(logits, self.case.label)
        if self.image is None or dice < self.dice:
            self.image, self.dice = image, dice
        if self.dice <= self._reference - LEAST_FALL:
            self._reference, self._waited = self.dice, 0
        else:
            self._waited += 1
        if self.dice == 0 or self.dice < self.enough or self._waited == self.patience:
            raise AttackEndedError(self.image)
