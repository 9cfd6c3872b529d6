"""How many backpropagations a batch gets: a fixed number, or one that follows the gradient norm (SEAT, DEAT)."""

from __future__ import annotations

import logging
import math
from typing import Any, Literal

from ignite.engine import Engine, Events

from seat_components.refusals import refuse

logger = logging.getLogger(__name__)


class FixedSchedule:
    """The same number of backpropagations per batch in every epoch: FREE-m of Shafahi et al., NeurIPS 2019.

    Args:
        replays: backpropagations per batch; 1 is a single pass.

    Raises:
        RefusalError: if ``replays`` is not a positive integer.
    """

    threshold: float | None = None

    def __init__(self, replays: int) -> None:
        if not isinstance(replays, int) or replays < 1:
            refuse(f"replays is {replays}, but a batch needs a whole number of backpropagations, 1 or more")
        self.g = int(replays)

    def update(self, epoch: int, gradient_norm: float) -> int:  # noqa: ARG002 - the interface all schedules share
        """The number for the next epoch, which here never changes."""
        return self.g

    def plan(self, epochs: int) -> list[int]:
        """Backpropagations per batch of each epoch, as far as they are known before; relative to each other."""
        return [self.g] * epochs

    @property
    def is_clean(self) -> bool:
        """Whether g is 1 in every epoch, as is known before."""
        return self.g == 1

    def attach(self, engine: Engine) -> None:
        """Keep ``engine.state.replays``, which the training update reads, at this schedule's g."""
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_of_epoch)

    def _begin(self, engine: Engine) -> None:
        self._publish(engine)

    def _publish(self, engine: Engine) -> None:
        engine.state.replays = self.g

    def _end_of_epoch(self, engine: Engine) -> None:
        # An update of another package measures no norm.
        self.update(engine.state.epoch, getattr(engine.state, "gradient_norm", math.nan))
        self._publish(engine)

    def state_dict(self) -> dict[str, Any]:
        """The schedule's state between two epochs."""
        return {"g": self.g}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """A fixed number follows its configuration, so that a resumed run may be given another, which is said."""
        if (before := state.get("g", self.g)) != self.g:
            logger.warning(f"g was {before} in the run that is resumed: from here on it is {self.g}.")


class SelfAdaptiveSchedule(FixedSchedule):
    """SEAT's number of backpropagations per batch, g (Algorithm 2 of the paper).

    Training starts clean (g = 1). At the end of epoch q one adversarial iteration is added (g = g_min); from epoch 2q
    on, every q epochs, the epoch's mean gradient norm K̃ is compared with the threshold φ·K̃ of the last check:
    above it g rises by one, at φ·K̃ ≤ threshold g falls by one, and the threshold is renewed.

    The paper's listing exchanges max and min in lines 7 and 9 (g would jump to its limits); this follows the
    paper's text: g is raised or lowered by one unless it has reached its maximum or its minimum.

    Args:
        update_every: q, epochs between two checks.
        relax: φ ≥ 1, the relaxation of the threshold.
        g_max: the largest number of backpropagations per batch.
        g_min: the smallest after the clean start, 2 to ``g_max``; the paper's is 2.
        update_threshold: renew the threshold at every check ("always"), or only where g changed ("on_change");
            line 10 of the listing can be read both ways.

    Raises:
        RefusalError: if an argument is outside its range.

    Example:
        >>> schedule = SelfAdaptiveSchedule()
        >>> [schedule.update(epoch, 1.0) for epoch in range(1, 7)]
        [1, 1, 2, 2, 2, 2]
    """

    def __init__(
        self,
        update_every: int = 3,
        relax: float = 1.1,
        g_max: int = 5,
        update_threshold: Literal["always", "on_change"] = "always",
        g_min: int = 2,
    ) -> None:
        super().__init__(replays=1)
        if update_every != int(update_every) or update_every < 1:
            refuse(f"update_every (q) is {update_every}, but it counts epochs: a whole number, 1 or more")
        if not (1 <= relax < math.inf):
            refuse(f"relax (φ) is {relax}, but a threshold below the norm itself would always be passed: ≥ 1")
        if g_max != int(g_max) or g_max < 2:
            refuse(f"g_max is {g_max}, but adversarial training needs a whole number, 2 or more")
        if g_min != int(g_min) or not 2 <= g_min <= g_max:
            refuse(f"g_min is {g_min}, but after the clean start it is a whole number from 2 to g_max, here {g_max}")
        if update_threshold not in ("always", "on_change"):
            refuse(f"update_threshold is {update_threshold!r}, but it must be 'always' or 'on_change'")
        self.update_every = int(update_every)
        self.relax = float(relax)
        self.g_max = int(g_max)
        self.g_min = int(g_min)
        self.update_threshold = update_threshold
        self.threshold: float | None = None

    def update(self, epoch: int, gradient_norm: float) -> int:
        """End epoch ``epoch`` (counted from 1), whose K̃ is ``gradient_norm``.

        A check without a finite K̃ is skipped and keeps the threshold.

        Returns:
            g for the next epoch.
        """
        if epoch % self.update_every == 0:
            if self.g == 1:
                self.g = self.g_min
            elif math.isfinite(gradient_norm):
                self._check(gradient_norm)
        return self.g

    @property
    def is_clean(self) -> bool:
        """False: after the clean start it is 2 or more; a run that ends before says so."""
        return False

    def _check(self, gradient_norm: float) -> None:
        relaxed = self.relax * gradient_norm
        if self.threshold is None:
            self.threshold = relaxed
            return
        before = self.g
        if gradient_norm > self.threshold:
            self.g = min(self.g + 1, self.g_max)
        elif relaxed <= self.threshold:
            self.g = max(self.g - 1, self.g_min)
        if self.update_threshold == "always" or self.g != before:
            self.threshold = relaxed

    def _begin(self, engine: Engine) -> None:
        clean = (engine.state.epoch // self.update_every + 1) * self.update_every
        if self.g == 1 and engine.state.epoch < engine.state.max_epochs <= clean:
            logger.warning(
                f"This run of {engine.state.max_epochs} epochs ends before SEAT's first adversarial epoch, which is "
                f"{clean + 1}: it trains clean. Take more epochs, or a smaller update_every."
            )
        super()._begin(engine)

    def state_dict(self) -> dict[str, Any]:
        """g and the threshold."""
        return {"g": self.g, "threshold": self.threshold}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, whose g is brought within limits that have changed since, which is said."""
        before, self.threshold = state["g"], state["threshold"]
        self.g = before if before == 1 else min(max(before, self.g_min), self.g_max)
        if self.g != before:
            logger.warning(f"g was {before} in the run that is resumed: from here on it is {self.g}.")


class GrowingSchedule(SelfAdaptiveSchedule):
    """SEAT's schedule without the way down: g grows where K̃ passes the threshold, and never falls.

    g = 1, then ``g_min`` from epoch q + 1 on; at 2q the threshold is set to φ·K̃; at every later multiple of q a K̃ above
    it raises g by one, to ``g_max`` at most, and renews the threshold. Nothing else changes either.

    Source: Wang et al., "Dynamic Efficient Adversarial Training Guided by Gradient Magnitude" (DEAT, arXiv 2103.03076),
    the authors' earlier rule, here with SEAT's clean start and per epoch.

    Example:
        >>> schedule = GrowingSchedule(update_every=1)
        >>> [schedule.update(epoch, norm) for epoch, norm in enumerate([1.0, 1.0, 0.5, 1.2, 1.0, 1.5], start=1)]
        [2, 2, 2, 3, 3, 4]
    """

    def _check(self, gradient_norm: float) -> None:
        if self.threshold is None or gradient_norm > self.threshold:
            self.g = self.g if self.threshold is None else min(self.g + 1, self.g_max)
            self.threshold = self.relax * gradient_norm
