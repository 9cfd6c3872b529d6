"""A protocol's attacks and checks on one case at a time, into the records."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from tqdm import tqdm

from seat_components.attacks import ATTACKS, Predictor
from seat_components.attacks.modules_behind import modules_behind
from seat_components.attacks.reading import Reading
from seat_components.budget import IntensityBudget, budgets_of
from seat_components.buffers import Buffers
from seat_components.device import clock
from seat_components.evaluation.alarms import examined, raise_alarms
from seat_components.evaluation.answers import examine_answers, questions
from seat_components.evaluation.budget_share import budget_share
from seat_components.evaluation.case import Attacked, Case
from seat_components.evaluation.least_budget import search_along_gradients
from seat_components.evaluation.protocols import AttackSetting, Check, Protocol, is_gradient_attack
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.evaluation.scoring import Answer, Scorer
from seat_components.evaluation.watch import AnswerWatch, AttackEndedError
from seat_components.records.alarm_names import NOT_DETERMINISTIC, NOT_FINITE
from seat_components.records.attacked import AttackedCase, CheckedCase, main_budget, mean_dice

logger = logging.getLogger(__name__)
_CHECKS_COST = "checks"


class Ensemble:
    """Run a protocol on cases. What the records hold already is not run again; they are written after each attack.

    Random numbers follow from (seed, case, attack, ε) alone. A case whose clean Dice is 0 is not attacked, and, where
    the protocol says so, one that an attack has brought to 0 is not attacked further at that budget; the attacks that
    are left out count with that 0, so that no case drops out of a mean.

    Args:
        records: where the results go; what ε is a share of stands in their head.
        protocol: the attacks and checks.
        eps_255: budgets, in units of 1/255.
        seed: seed of random starts and searches.
        bounds: (lo, hi) for inputs of a fixed range; None for each sample's and channel's own.
        reading: how logits are read.
        progress: show a bar per case where the standard error is a terminal.
        least_budget: also look for each case's least budget, after its attacks.

    Raises:
        RefusalError: for budgets outside (0, 255]; for a least budget where the protocol follows no gradients.
    """

    def __init__(
        self,
        records: RobustnessRecords,
        protocol: Protocol,
        eps_255: float | Sequence[float],
        seed: int = 0,
        bounds: tuple[float, float] | None = None,
        reading: Reading | None = None,
        progress: bool = False,
        least_budget: bool = False,
    ) -> None:
        self.eps_255 = budgets_of(eps_255, "attack_eps_255")
        self.records, self.protocol, self.seed, self.bounds = records, protocol, seed, bounds
        self.reading, self.progress = reading or Reading(), progress
        self.scorer = Scorer(records.labels, self.reading, bounds, protocol.draws)
        args = protocol, self.scorer, seed, records.header.budget
        self.search = search_along_gradients(*args) if least_budget else None

    def budget(self, image: Tensor, eps_255: float) -> IntensityBudget:
        """What may be done to an image (1, C, *spatial)."""
        return IntensityBudget.of(image, eps_255 / 255, self.bounds, self.records.header.budget)

    def runs(self, place: int) -> list[tuple[AttackSetting, float]]:
        """The attacks and budgets of the case at ``place``, from 0, among all cases."""
        main = main_budget(self.eps_255)
        return [
            (setting, eps)
            for eps in self.eps_255
            for setting in self.protocol.attacks
            if (setting.cases is None or place < setting.cases) and (not setting.one_budget or eps == main)
        ]

    def checks(self, place: int) -> Sequence[Check]:
        """The checks of the case at ``place``."""
        return self.protocol.checks if place < self.protocol.checked_cases else ()

    def is_complete(self, case: str, place: int) -> bool:
        """Whether the records hold everything about this case, and ``attack`` has come to its end."""
        if case in self.records.unfinished:
            return False
        rows = [("clean", 0.0), *((setting.attack, eps) for setting, eps in self.runs(place))]
        checks = [*questions(self.protocol.follows_gradients), *(check.name for check in self.checks(place))]
        return (
            all(self.records.has(case, *row) for row in rows)
            and all(self.records.has_check(case, check) for check in checks)
            and (self.search is None or not self.search.lacks(self.records, case))
        )

    def attack(
        self,
        predictor: Predictor,
        case: Case,
        finish: Callable[[Attacked, Attacked | None], None] | None = None,
    ) -> tuple[Attacked, Attacked | None]:
        """Everything about one case that the records lack.

        Args:
            predictor: image → logits, in evaluation mode.
            case: the case.
            finish: writes what else belongs to the case, from what is returned. Only then does the case count as
                complete, so that a run that is killed before makes good for it.

        Returns:
            The case without attack, and under the attack that left the lowest mean Dice at the largest ε; None where
            every attack was skipped. No other image is kept: volumes are large.

        Raises:
            ValueError: for more than one sample, or logits of another number of classes than the records have.
        """
        self.scorer.check(case)
        buffers = Buffers(modules_behind(predictor))
        answer = self.scorer.first_answer(predictor, case)
        self.records.volumes[case.name] = self.scorer.volumes(case)
        for eps in self.eps_255:
            share = budget_share(case, eps, self.budget(case.image, eps), self.reading)
            self.records.shares[case.name, eps] = share
        if case.name in self.records.unfinished:
            self._drop_partial_budgets(case)
        self.records.unfinished.add(case.name)
        clean, worst = self._record(case, "clean", 0.0, case.image, answer), None
        self._examine(predictor, case, answer, buffers)
        runs = tqdm(self.runs(case.place), desc=case.name, disable=None if self.progress else True, leave=False)
        for setting, eps in runs:
            runs.set_postfix_str(f"{setting.attack} at {eps:g}/255")
            if self.records.has(case.name, setting.attack, eps) or self._skip(case.name, setting.attack, eps):
                continue
            result = self._attack(predictor, case, setting, eps, answer)
            if eps == self.eps_255[-1] and (worst is None or result.mean_dice < worst.mean_dice):
                worst = result
            self._write()
        for check in self.checks(case.place):
            if not self.records.has_check(case.name, check.name):
                self._check(predictor, check, case, answer)
                self._write()
        if self.search is not None:
            self.search.complete(self.records, predictor, case, answer)
            self._write()
        worst = self._as_recorded(predictor, case, worst, answer)
        if finish is not None:
            finish(clean, worst)
        self.records.unfinished.discard(case.name)
        self._write()
        return clean, worst

    def _examine(self, predictor: Predictor, case: Case, first: Answer, buffers: Buffers) -> None:
        """Ask about the clean image again, and record what that says about the network."""
        gradients = self.protocol.follows_gradients
        if all(self.records.has_check(case.name, check) for check in questions(gradients)):
            return
        found = examine_answers(predictor, case, first.logits, self.reading, self.bounds, gradients)
        if buffers.changed():
            found[NOT_DETERMINISTIC] = 1.0
        for check, value in found.items():
            if not self.records.has_check(case.name, check):
                self.records.checks.append(CheckedCase(check=check, case=case.name, value=value))

    def _rows(self, case: Case, eps_255: float) -> list[AttackedCase]:
        return [row for row in self.records.cases if row.case == case.name and row.eps_255 == eps_255]

    def _drop_partial_budgets(self, case: Case) -> None:
        """Forget a stopped case's results at budgets that are not asked for now and lack some of the attacks."""
        everywhere = [
            setting.attack
            for setting in self.protocol.attacks
            if not setting.one_budget and (setting.cases is None or case.place < setting.cases)
        ]
        own = [row for row in self.records.cases if row.case == case.name]
        others = {row.eps_255 for row in own} - {0, *self.eps_255}
        partial = {eps for eps in others if not all(self.records.has(case.name, attack, eps) for attack in everywhere)}
        self.records.cases = [row for row in self.records.cases if row.case != case.name or row.eps_255 not in partial]

    def _write(self) -> None:
        self.records.write(raise_alarms(self.records), examined(self.records))

    def _as_recorded(self, predictor: Predictor, case: Case, worst: Attacked | None, clean: Answer) -> Attacked | None:
        """The worst attack at the largest ε, made again where it was recorded before the evaluation was stopped."""
        largest = self.eps_255[-1]
        settings = {setting.attack: setting for setting in self.protocol.attacks}
        ran = [row for row in self._rows(case, largest) if row.attack in settings and not row.skipped]
        lowest = min(ran, key=mean_dice, default=None)
        if lowest is None or (worst is not None and lowest.attack == worst.attack):
            return worst
        return self._attack(predictor, case, settings[lowest.attack], largest, clean)

    def _attack(
        self, predictor: Predictor, case: Case, setting: AttackSetting, eps_255: float, clean: Answer
    ) -> Attacked:
        words = f"{self.seed}/{case.name}/{setting.attack}/{eps_255:g}"
        cost = None if self.records.has(case.name, setting.attack, eps_255) else setting.attack
        adversarial, answer = self._run(predictor, case, setting, eps_255, words, cost, clean)
        return self._record(case, setting.attack, eps_255, adversarial, answer)

    def _skip(self, case: str, attack: str, eps_255: float) -> bool:
        zero = self.records.at_zero(case, 0.0)
        if zero is None and self.protocol.skips_at_zero:
            zero = self.records.at_zero(case, eps_255)
        if zero is not None:
            nothing = [0.0] * len(self.records.labels)
            self.records.add(case, attack, eps_255, nothing, zero.linf_over_budget, zero.ran)
        return zero is not None

    def _run(
        self,
        predictor: Predictor,
        case: Case,
        setting: AttackSetting,
        eps_255: float,
        words: str,
        cost: str | None,
        clean: Answer,
    ) -> tuple[Tensor, Answer]:
        """The adversarial image and the answer for it; ``words`` seed the attack, ``cost`` names what it counts as."""
        budget = self.budget(case.image, eps_255)
        gradient = is_gradient_attack(setting.attack)
        watch = AnswerWatch(
            predictor,
            case,
            budget,
            self.scorer,
            clean,
            self.protocol.looks_at_dice,
            self.protocol.patience if gradient else None,
        )
        generator = torch.Generator().manual_seed(zlib.crc32(words.encode()))
        start = clock(case.image.device)
        try:
            adversarial = ATTACKS[setting.attack](
                watch,
                case.image,
                case.label,
                eps=eps_255 / 255,
                bounds=self.bounds,
                budget=self.records.header.budget,
                generator=generator,
                outputs=self.reading.outputs,
                ignore_index=self.reading.ignore_index,
                draws=self.protocol.draws,
                **setting.options,
            )
        except AttackEndedError as ended:
            adversarial = ended.image
        if cost is not None:
            self.records.add_cost(cost, watch.forwards, watch.backwards, clock(case.image.device) - start)
        answer = self.scorer.answer(predictor, adversarial, case.label)
        if watch.image is not None and watch.dice < float(answer.dice.mean()):
            adversarial, answer = watch.image, self.scorer.answer(predictor, watch.image, case.label)
        if not budget.holds(adversarial, case.image):
            raise AssertionError(
                f"{setting.attack} left its budget of {eps_255:g}/255 on {case.name}: this is a defect"
            )
        if answer.failed > clean.failed == 0:
            answer = replace(answer, dice=torch.zeros_like(answer.dice))
            row = CheckedCase(
                check=NOT_FINITE, case=case.name, value=answer.failed, attack=setting.attack, eps_255=eps_255
            )
            if row not in self.records.checks:
                self.records.checks.append(row)
        return adversarial, answer

    def _record(self, case: Case, attack: str, eps_255: float, image: Tensor, answer: Answer) -> Attacked:
        attacked = Attacked(attack, eps_255, image, answer.prediction, answer.dice)
        if not self.records.has(case.name, attack, eps_255):
            over = self.budget(case.image, eps_255).linf_over_budget(image, case.image)
            self.records.add(case.name, attack, eps_255, answer.dice[0].tolist(), over)
            logger.info(f"{case.name}: {attack} at {eps_255:g}/255: Dice {attacked.mean_dice:.4f}")
        return attacked

    def _check(self, predictor: Predictor, check: Check, case: Case, clean: Answer) -> None:
        """The case's strongest gradient attack at the main budget once more, as the check wants it."""
        main = main_budget(self.eps_255)
        eps = main if check.eps_255 is None else check.eps_255
        settings = {setting.attack: setting for setting in self.protocol.attacks if is_gradient_attack(setting.attack)}
        attack = min((row for row in self._rows(case, main) if row.attack in settings), key=mean_dice).attack
        value = 0.0
        # What is at Dice 0 within the main budget is so with more steps, and within a larger budget.
        if self.records.at_zero(case.name, 0.0) is None and self.records.at_zero(case.name, main) is None:
            options = settings[attack].options
            setting = AttackSetting(attack, {**options, "steps": check.effort * options["steps"]})
            words = f"{self.seed}/{case.name}/{attack}/{eps:g}/{check.name}"
            _, answer = self._run(predictor, case, setting, eps, words, _CHECKS_COST, clean)
            value = float(answer.dice.mean())
        self.records.checks.append(
            CheckedCase(check=check.name, case=case.name, value=value, attack=attack, eps_255=eps)
        )
