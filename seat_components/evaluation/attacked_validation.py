"""Validation under attack: an ``iteration_update`` with which training chooses its best weights by robust Dice."""

from __future__ import annotations

from typing import Any

import torch
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from monai.networks.utils import eval_mode
from monai.utils.enums import CommonKeys as Keys
from torch import Tensor

from seat_components.attacks import ATTACKS
from seat_components.budget import RANGE, check_budget, check_eps_255
from seat_components.evaluation.attack_update import InferringNetwork
from seat_components.networks.pretrained import unwrap
from seat_components.records.attacked import MAIN_EPS_255
from seat_components.refusals import refuse


class AttackedValidation:
    """Attack each batch, and let the engine's metrics see what the network makes of the attacked images.

    The attack of the i-th batch draws the same random numbers in every validation, so that epochs are compared under
    the same conditions and a resumed training goes on as it would have.

    Args:
        eps_255: the budget, in units of 1/255 of what ``budget`` says, per sample and channel.
        steps: steps of the attack.
        attack: its name in ``seat_components.attacks.ATTACKS``; one with a ``steps`` argument.
        seed: seed of its random numbers.
        budget: what ε is a share of, ``range`` or ``contrast``: see ``IntensityBudget.of``.

    Raises:
        RefusalError: for an unknown attack or budget, or numbers outside their range.
    """

    def __init__(
        self,
        eps_255: float = MAIN_EPS_255,
        steps: int = 5,
        attack: str = "apgd-dice-normalised",
        seed: int = 0,
        budget: str = RANGE,
    ) -> None:
        with_steps = sorted(set(ATTACKS) - {"random"})
        if attack not in with_steps:
            refuse(f"there is no attack {attack!r} for validation; it knows {', '.join(with_steps)}")
        check_eps_255(eps_255)
        check_budget(budget)
        if eps_255 == 0:
            refuse("eps_255 is 0, but validation under attack needs a budget above 0")
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            refuse(f"val_attack_steps is {steps!r}, but it must be a whole number, 1 or more")
        self.eps, self.budget = eps_255 / 255, budget
        self.steps, self.attack, self.seed = steps, attack, seed

    def __call__(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> dict[str, Tensor]:
        """Attack and predict one batch; returns the engine's output, the attacked image in place of the image."""
        batch = engine.prepare_batch(batchdata, engine.state.device, engine.non_blocking, **engine.to_kwargs)
        image, label = (part.as_tensor() if isinstance(part, MetaTensor) else part for part in batch[:2])
        # Past DistributedDataParallel, whose forward passes exchange buffers: processes attack at their own pace.
        network = unwrap(engine.network)
        predictor = InferringNetwork(network, engine.inferer)
        generator = torch.Generator(image.device).manual_seed(self.seed * 2**20 + engine.state.iteration)
        attacked = ATTACKS[self.attack](
            predictor, image, label, eps=self.eps, budget=self.budget, steps=self.steps, generator=generator
        )
        with eval_mode(network):
            logits = predictor(attacked)
        engine.state.output = {Keys.IMAGE: attacked, Keys.LABEL: label, Keys.PRED: logits}
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        output: dict[str, Tensor] = engine.state.output
        return output
