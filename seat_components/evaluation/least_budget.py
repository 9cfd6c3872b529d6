"""The least budget of a case: the smallest ε at which its Dice falls below half of its clean value, by bisection."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seat_components.attacks import Predictor, apgd
from seat_components.attacks.predictor import ask
from seat_components.budget import RANGE, IntensityBudget
from seat_components.evaluation.case import Case
from seat_components.evaluation.protocols import Protocol
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.evaluation.scoring import Answer, Scorer
from seat_components.evaluation.watch import AnswerWatch, AttackEndedError
from seat_components.records.attacked import CLEAN, AttackedCase, LeastBudget, mean_dice
from seat_components.records.numbers import mean_of
from seat_components.refusals import refuse

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

    The first image that an attack asks about at which mean Dice is below half of its clean value ends that attack. An
    attack begins at what the neighbouring budgets have given, whichever has the lower Dice: the image that was enough
    at a larger ε, brought into the smaller budget, or the best that a smaller ε had. What the protocol's attacks have
    found counts: the search begins below the smallest ε at which one of them was enough.

    What is found is an upper bound, as every attack's result is: a stronger attack may need less.

    Args:
        scorer: how answers are read and scored.
        seed: seed of the random starts, where nothing is known to begin at.
        budget: what ε is a share of: see ``IntensityBudget.of``.

    Source: Halmosi & Jelasity, ECCV 2024 (Evaluating the Adversarial Robustness of Semantic Segmentation: Trying Harder
    Pays Off), who ask for minimal perturbations beside those of a fixed size.
    """

    scorer: Scorer
    seed: int = 0
    budget: str = RANGE

    def lacks(self, records: RobustnessRecords, case: str) -> bool:
        """Whether the case's least budget is not on record, or an attack that has run since has found a smaller one."""
        known, seen = records.least_budgets.get(case), _smallest_fall(_rows(records, case))
        return known is None or (seen is not None and seen.eps_255 < known.least)

    def complete(self, records: RobustnessRecords, predictor: Predictor, case: Case, clean: Answer) -> None:
        """Put the least budget of ``case``, whose answer without attack is ``clean``, on record where it lacks."""
        if self.lacks(records, case.name):
            records.least_budgets[case.name] = self.find(predictor, case, clean, _rows(records, case.name))

    def find(self, predictor: Predictor, case: Case, clean: Answer, rows: Sequence[AttackedCase] = ()) -> LeastBudget:
        """The least budget; ``rows`` are the case's other results."""
        found = Bisection(self, predictor, case, clean).run(_smallest_fall(rows))
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
        self.clean_dice = mean_of(clean.dice[0].tolist())
        self.enough: Tensor | None = None
        self.best: Tensor | None = None
        self.forwards = self.backwards = 0

    def run(self, seen: AttackedCase | None) -> LeastBudget:
        """Search below ``seen``, the smallest fall that is known, if any is."""
        if self.clean_dice == 0:
            return self._record(0.0, 0.0, 0.0)
        of, low, high = None, 0.0, UPPER_255
        if seen is not None:
            of, high, dice = seen.ran, seen.eps_255, seen.mean_dice
        else:
            dice = self._attack(high)
            if self.enough is None:
                return self._record(None, high, dice)
        while high - low > TOLERANCE_255:
            middle = (low + high) / 2
            before = self.enough
            left = self._attack(middle)
            if self.enough is before:
                low = middle
            else:
                of, high, dice = None, middle, left
        return self._record(high, low, dice, of)

    def _record(self, eps_255: float | None, kept_255: float, dice: float, of: str | None = None) -> LeastBudget:
        return LeastBudget(
            case=self.case.name,
            eps_255=eps_255,
            kept_255=kept_255,
            clean_dice=self.clean_dice,
            dice=dice,
            **({} if of is None else {"of": of}),
            forwards=self.forwards,
            backwards=self.backwards,
        )

    def _attack(self, eps_255: float) -> float:
        """The lowest Dice that a budget leaves; its image is kept as ``enough`` or as ``best``."""
        scorer, case, below = self.search.scorer, self.case, _SHARE * self.clean_dice
        budget = IntensityBudget.of(case.image, eps_255 / 255, scorer.bounds, self.search.budget)
        # The lowest of several draws would be the luckiest: there the mean decides, in the end.
        single = scorer.draws == 1
        watch = AnswerWatch(self.predictor, case, budget, scorer, self.clean, keeps_lowest=single, enough=below)
        words = f"{self.search.seed}/{case.name}/least budget/{eps_255:g}"
        starts = [budget.project(known, case.image) for known in (self.enough, self.best) if known is not None]
        try:
            with torch.no_grad():
                for start in starts if single else ():
                    ask(watch, start)
            image = apgd(
                watch,
                case.image,
                case.label,
                eps=eps_255 / 255,
                bounds=scorer.bounds,
                budget=self.search.budget,
                steps=_STEPS,
                loss="dice",
                generator=torch.Generator().manual_seed(zlib.crc32(words.encode())),
                start=watch.image if watch.image is not None else next(iter(starts), None),
                outputs=scorer.reading.outputs,
                ignore_index=scorer.reading.ignore_index,
                draws=scorer.draws,
            )
        except AttackEndedError as ended:
            image = ended.image
        self.forwards += watch.forwards
        self.backwards += watch.backwards
        if watch.image is not None:
            image, dice = watch.image, watch.dice
        else:
            answer = scorer.answer(self.predictor, image, case.label)
            dice = 0.0 if answer.failed > self.clean.failed == 0 else float(answer.dice.mean())
            self.forwards += scorer.draws
        if dice < below:
            self.enough = image
        else:
            self.best = image
        return dice


def search_along_gradients(protocol: Protocol, scorer: Scorer, seed: int, budget: str) -> LeastBudgetSearch:
    """The search beside a protocol.

    Raises:
        RefusalError: if the protocol is for networks without gradients.
    """
    if not protocol.follows_gradients:
        refuse(
            "least_budget is looked for along gradients, but none of the protocol's attacks follows any: take another "
            "protocol, or leave it out"
        )
    return LeastBudgetSearch(scorer, seed, budget)


def _smallest_fall(rows: Sequence[AttackedCase]) -> AttackedCase | None:
    """Of one case's results up to 64/255, that of the smallest ε at which Dice is below half of the clean one's."""
    clean = next((row.mean_dice for row in rows if row.attack == CLEAN), 0.0)
    within = [row for row in rows if 0 < row.eps_255 <= UPPER_255]
    fallen = [row for row in within if row.mean_dice < _SHARE * clean]
    return min(fallen, key=lambda row: (row.eps_255, mean_dice(row)), default=None)


def _rows(records: RobustnessRecords, case: str) -> list[AttackedCase]:
    return [row for row in records.cases if row.case == case]
