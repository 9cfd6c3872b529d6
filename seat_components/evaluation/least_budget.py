"""The least budget of a case: the smallest ε at which its Dice falls below half of its clean value, by bisection."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seat_components.attacks import CountingPredictor, Predictor, apgd
from seat_components.attacks.predictor import ask
from seat_components.budget import IntensityBudget
from seat_components.evaluation.case import Case
from seat_components.evaluation.scoring import Answer, Scorer
from seat_components.records.attacked import CLEAN, AttackedCase, LeastBudget, mean_dice
from seat_components.records.numbers import mean_of

logger = logging.getLogger(__name__)

UPPER_255 = 64.0
"""The search's upper end: at a quarter of the range no image keeps its content."""
TOLERANCE_255 = 0.25
"""The search ends where two budgets, one that is enough and one that is not, are this close."""
_SHARE = 0.5
"""Below this share of its clean Dice a case counts as fallen."""
_STEPS = 20
"""APGD's steps at each budget."""


@dataclass(frozen=True)
class LeastBudgetSearch:
    """Bisection over ε from 0 to 64/255, down to a quarter of 1/255, with APGD on soft Dice of 20 steps at each ε.

    The first image that an attack asks about at which Dice is below half of its clean value ends that attack. An attack
    begins at what the neighbouring budgets have given, whichever has the lower Dice: the image that was enough at a
    larger ε, brought into the smaller budget, or the best that a smaller ε had. What the protocol's attacks have found
    counts: the search begins below the smallest ε at which one of them was enough.

    What is found is an upper bound, as every attack's result is: a stronger attack may need less.

    Args:
        scorer: how answers are read and scored.
        seed: seed of the random starts, where nothing is known to begin at.

    Source: Halmosi & Jelasity, ECCV 2024 (Evaluating the Adversarial Robustness of Semantic Segmentation: Trying Harder
    Pays Off), who ask for minimal perturbations beside those of a fixed size.
    """

    scorer: Scorer
    seed: int = 0

    def find(self, predictor: Predictor, case: Case, clean: Answer, rows: Sequence[AttackedCase] = ()) -> LeastBudget:
        """The least budget of ``case``, whose answer without attack is ``clean``; ``rows`` are its other results."""
        bisection = Bisection(self, predictor, case, clean)
        found = bisection.run(smallest_fall(rows))
        logger.info(f"{case.name}: least budget {found.least:g}/255, {found.forwards:g} passes")
        return found


class Bisection:
    """One case's search under way.

    Attributes:
        enough: an image of the smallest budget that was enough; None where the protocol's attack found it, or none was.
        best: the image of the lowest Dice of the largest budget that was not enough; None before there is one.
    """

    def __init__(self, search: LeastBudgetSearch, predictor: Predictor, case: Case, clean: Answer) -> None:
        self.search, self.predictor, self.case, self.clean = search, predictor, case, clean
        self.enough: Tensor | None = None
        self.best: Tensor | None = None
        self.forwards = self.backwards = 0

    def run(self, seen: AttackedCase | None) -> LeastBudget:
        """Search below ``seen``, the smallest fall that is known, if any is."""
        clean_dice = mean_of(self.clean.dice[0].tolist())
        if clean_dice == 0:
            return self._record(0.0, 0.0, clean_dice, 0.0)
        of, low, high = None, 0.0, UPPER_255
        if seen is not None:
            of, high, dice = seen.attack, seen.eps_255, seen.mean_dice
        else:
            dice = self._attack(high)
            if self.enough is None:
                return self._record(None, high, clean_dice, dice)
        while high - low > TOLERANCE_255:
            middle = (low + high) / 2
            before = self.enough
            left = self._attack(middle)
            if self.enough is before:
                low = middle
            else:
                of, high, dice = None, middle, left
        return self._record(high, low, clean_dice, dice, of)

    def _record(
        self, eps_255: float | None, kept_255: float, clean_dice: float, dice: float, of: str | None = None
    ) -> LeastBudget:
        return LeastBudget(
            case=self.case.name,
            eps_255=eps_255,
            kept_255=kept_255,
            clean_dice=clean_dice,
            dice=dice,
            **({} if of is None else {"of": of}),
            forwards=self.forwards,
            backwards=self.backwards,
        )

    def _attack(self, eps_255: float) -> float:
        """The lowest Dice seen within a budget; its image is kept as ``enough`` or as ``best``."""
        search, case = self.search, self.case
        bounds, reading = search.scorer.bounds, search.scorer.reading
        budget = IntensityBudget.of(case.image, eps_255 / 255, bounds)
        watch = FallWatch(self.predictor, case, budget, search.scorer, self.clean)
        words = f"{search.seed}/{case.name}/least budget/{eps_255:g}"
        try:
            with torch.no_grad():
                for known in (self.enough, self.best):
                    if known is not None:
                        ask(watch, budget.project(known, case.image))
            apgd(
                watch,
                case.image,
                case.label,
                eps=eps_255 / 255,
                bounds=bounds,
                steps=_STEPS,
                loss="dice",
                generator=torch.Generator().manual_seed(zlib.crc32(words.encode())),
                start=watch.image,
                outputs=reading.outputs,
                ignore_index=reading.ignore_index,
                draws=search.scorer.draws,
            )
            self.best = watch.image
        except Fallen:
            self.enough = watch.image
        self.forwards += watch.forwards
        self.backwards += watch.backwards
        return watch.lowest


class Fallen(Exception):  # noqa: N818 - no error: it ends an attack that has what it was to find
    """An image has been found."""


class FallWatch(CountingPredictor):
    """A predictor that counts passes, and ends an attack with the first image at which the case has fallen.

    Args:
        predictor: image → logits.
        case: the case under attack.
        budget: what may be done to its image.
        scorer: how answers are read and scored.
        clean: the answer without attack.

    Attributes:
        image: the image of the budget with the lowest Dice so far, (1, C, *spatial); None before there was one.
        lowest: that Dice.
    """

    def __init__(
        self, predictor: Predictor, case: Case, budget: IntensityBudget, scorer: Scorer, clean: Answer
    ) -> None:
        super().__init__(predictor)
        self.case, self.budget, self.scorer, self.clean = case, budget, scorer, clean
        self.enough = _SHARE * mean_of(clean.dice[0].tolist())
        self.image: Tensor | None = None
        self.lowest = torch.inf

    def __call__(self, image: Tensor) -> Tensor:
        """The predictor's logits, (1, K, *spatial).

        Raises:
            Fallen: if Dice is below half of its clean value.
        """
        given = image.detach().clone()
        logits = super().__call__(image)
        if not self.budget.holds(given, self.case.image):
            return logits
        dice = self._dice(self.scorer.read(logits.detach(), self.case.label))
        if dice < self.lowest and self.scorer.draws > 1:
            # Of a network that answers differently each time the mean counts, as everywhere.
            dice = self._dice(self.scorer.answer(self.predictor, given, self.case.label))
            self.forwards += self.scorer.draws
        if dice < self.lowest:
            self.image, self.lowest = given, dice
        if dice < self.enough:
            raise Fallen
        return logits

    def _dice(self, answer: Answer) -> float:
        # As everywhere: where logits are no longer finite, no mask comes out.
        return 0.0 if answer.failed > self.clean.failed == 0 else mean_of(answer.dice[0].tolist())


def smallest_fall(rows: Sequence[AttackedCase]) -> AttackedCase | None:
    """Of one case's results up to 64/255, that of the smallest ε at which Dice is below half of the clean one's."""
    clean = next((row.mean_dice for row in rows if row.attack == CLEAN), 0.0)
    within = [row for row in rows if 0 < row.eps_255 <= UPPER_255]
    fallen = [row for row in within if row.mean_dice < _SHARE * clean]
    return min(fallen, key=lambda row: (row.eps_255, mean_dice(row)), default=None)
