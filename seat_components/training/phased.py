"""g by phases of a run's planned backpropagations: clean first, many replays last."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ignite.engine import Engine

from seat_components.refusals import refuse
from seat_components.training.schedule import FixedSchedule

logger = logging.getLogger(__name__)

_PHASES = ((0.0, 1), (0.3, 2), (0.6, 5))
"""30 % of the backpropagations clean, 30 % at g = 2, 40 % at g = 5: 38 % of FREE-5's at equal epochs."""


class PhasedSchedule(FixedSchedule):
    """g known before the run: ``phases`` share out its backpropagations, not its epochs.

    With shares s_i of the backpropagations at g_i, a run of E epochs makes B = E / Σ(s_i / g_i) per batch, and phase i
    takes s_i·B / g_i epochs; its end is rounded to the nearest epoch. A training that is resumed with more epochs keeps
    the phases that it was first started with, and the last g beyond them.

    Args:
        epochs: E, epochs of the run.
        phases: (share of the backpropagations from which on, g), from 0 on, in ascending order.

    Attributes:
        planned: g of each of the E epochs.

    Raises:
        RefusalError: if an argument breaks its rule.

    Example:
        >>> PhasedSchedule(20).planned
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 5, 5, 5]
    """

    def __init__(self, epochs: int, phases: Sequence[Sequence[float]] = _PHASES) -> None:
        _check(epochs, phases)
        self._phases = phases
        starts = [float(share) for share, _ in phases]
        numbers = [int(g) for _, g in phases]
        lengths = [(end - start) / g for (start, end), g in zip(pairwise([*starts, 1.0]), numbers, strict=True)]
        ends = [math.floor(epochs * sum(lengths[: place + 1]) / sum(lengths) + 0.5) for place in range(len(lengths))]
        self.planned = [
            g for g, (start, end) in zip(numbers, pairwise([0, *ends]), strict=True) for _ in range(end - start)
        ]
        super().__init__(replays=self.planned[0])
        self.left_out = [g for g in numbers if g not in self.planned]

    @property
    def planned_backpropagations(self) -> int:
        """Backpropagations per batch of the whole run."""
        return sum(self.planned)

    @property
    def is_clean(self) -> bool:
        """Whether all phases have g = 1."""
        return set(self.planned) == {1}

    def plan(self, epochs: int) -> list[int]:
        """g of each epoch; ``epochs`` is known already."""
        return [*self.planned, *[self.planned[-1]] * (epochs - len(self.planned))]

    def update(self, epoch: int, gradient_norm: float) -> int:  # noqa: ARG002 - the interface all schedules share
        """End epoch ``epoch``, counted from 1; returns g of the next."""
        self.g = self.planned[min(epoch, len(self.planned) - 1)]
        return self.g

    def _begin(self, engine: Engine) -> None:
        if engine.state.epoch == 0 and self.left_out:
            logger.warning(
                f"In {len(self.planned)} epochs there is none for g = {', '.join(map(str, self.left_out))}: take more "
                "epochs, or other phases."
            )
        if len(self.planned) < engine.state.max_epochs:
            logger.warning(
                f"The phases were planned for {len(self.planned)} epochs: beyond them g stays at {self.planned[-1]}."
            )
        super()._begin(engine)

    def state_dict(self) -> dict[str, Any]:
        """g, and the plan."""
        return {"g": self.g, "planned": list(self.planned)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, by its plan; phases that would give another are left aside, which is said."""
        self.g, self.planned, self.left_out = int(state["g"]), [int(g) for g in state["planned"]], []
        if self.planned != PhasedSchedule(len(self.planned), self._phases).planned:
            logger.warning(
                f"The run that is resumed was planned by other phases than {list(self._phases)}: it keeps its own, "
                f"with g = {', '.join(map(str, dict.fromkeys(self.planned)))}."
            )


def _check(epochs: int, phases: Sequence[Sequence[float]]) -> None:
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        refuse(f"epochs is {epochs!r}, but phases share out a whole number of epochs, 1 or more")
    rule = (
        "[[0, 1], [0.3, 2], [0.6, 5]]: (share of the backpropagations from which on, g), shares rising from 0, below 1"
    )
    pairs = isinstance(phases, list | tuple) and all(isinstance(p, list | tuple) and len(p) == 2 for p in phases)
    if not pairs or not phases or not all(isinstance(n, int | float) and math.isfinite(n) for p in phases for n in p):
        refuse(f"phases is {phases!r}, but it must be like {rule}")
    shares, numbers = zip(*phases, strict=True)
    rising = all(before < after for before, after in pairwise([*shares, 1.0]))
    if shares[0] != 0 or not rising or any(g != int(g) or g < 1 for g in numbers):
        refuse(f"phases is {phases!r}, but it must be like {rule}; and g is a whole number, 1 or more")
