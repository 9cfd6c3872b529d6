"""How the learning rate falls: in two steps, as published, or as a cosine over the planned backpropagations."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, MultiStepLR

from seat_components.refusals import refuse
from seat_components.training.schedule import FixedSchedule

logger = logging.getLogger(__name__)

_STEP, _COSINE = LR_SCHEDULES = ("step", "cosine")
_GAMMA = 0.1


def learning_rate_schedule(optimizer: Optimizer, kind: str, schedule: FixedSchedule, epochs: int) -> LRScheduler:
    """The scheduler of that kind, to be stepped once an epoch.

    Args:
        optimizer: whose rate falls from the one that it has.
        kind: ``step``, divided by 10 after half and three quarters of the epochs; or ``cosine``, to 0.
        schedule: says how many backpropagations each epoch is planned to take.
        epochs: epochs of the run.

    Raises:
        RefusalError: for another kind.
    """
    if kind == _STEP:
        return _StepLR(optimizer, [max(1, epochs // 2), max(1, epochs * 3 // 4)], _GAMMA)
    if kind != _COSINE:
        refuse(f"lr_schedule is {kind!r}, but it must be {_STEP} or {_COSINE}")
    return _CosineLR(optimizer, schedule.plan(epochs))


class _StepLR(MultiStepLR):
    """The stock scheduler, which says where a resumed run keeps the steps that it was first started with."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, by its steps."""
        own = dict(self.milestones)
        super().load_state_dict(state_dict)
        if own != (kept := dict(self.milestones)):
            logger.warning(
                f"The learning rate falls after epochs {_listed(kept)}, as planned when this run was first started, "
                f"and not after {_listed(own)}: beyond its last step it stays as it is."
            )


def _listed(milestones: Mapping[int, int]) -> str:
    return " and ".join(str(epoch) for epoch in sorted(milestones))


class _CosineLR(LambdaLR):
    """½·(1 + cos(π·b / B)) of the first rate, b of B planned backpropagations being done when an epoch begins.

    Args:
        optimizer: whose rate falls.
        planned: backpropagations per batch of each epoch. Where g is not known before, as with SEAT, all ones: the
            rate then falls over the epochs.

    Source: Loshchilov & Hutter, ICLR 2017 (SGDR), Eq. 5 without restarts.
    """

    def __init__(self, optimizer: Optimizer, planned: list[int]) -> None:
        self.cosine = _Cosine(planned)
        super().__init__(optimizer, self.cosine)

    def state_dict(self) -> dict[str, Any]:
        """The stock state, and the plan."""
        kept = {name: value for name, value in super().state_dict().items() if name != "cosine"}
        return {**kept, "planned": list(self.cosine.planned)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state; the plan stays the one that the run was first started with.

        Raises:
            RefusalError: if the run is to be longer than that plan: its last rate is 0.
        """
        planned, epochs = list(state_dict["planned"]), len(self.cosine.planned)
        if epochs > len(planned):
            refuse(
                f"This training's learning rate falls to 0 over the {len(planned)} epochs that it was started with, "
                f"but it is to have {epochs}: beyond them nothing would be learned. Start from its weights with "
                "finetune.json, or resume with as many epochs as before."
            )
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "planned"})
        self.cosine.planned = planned


class _Cosine:
    """Epochs that are done → share of the first rate. Only its attributes are kept in a checkpoint."""

    def __init__(self, planned: list[int]) -> None:
        self.planned = list(planned)

    def __call__(self, epoch: int) -> float:
        done = sum(self.planned[:epoch]) / sum(self.planned)
        return 0.5 * (1 + math.cos(math.pi * done))
