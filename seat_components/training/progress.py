"""A progress bar that shows what adversarial training does: loss, g and K̃."""

from __future__ import annotations

from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine
from ignite.handlers import ProgressBar
from monai.handlers import from_engine


class TrainingProgress:
    """One bar per epoch with the batch's loss, g, and the last epoch's gradient norm K̃; on the first process."""

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        if idist.get_rank() != 0:
            return
        loss = from_engine(["loss"], first=True)

        def values(output: Any) -> dict[str, float]:
            shown = {"loss": float(loss(output)), "g": engine.state.replays}
            norm = getattr(engine.state, "gradient_norm", None)
            return shown if norm is None else {**shown, "K": norm}

        ProgressBar(desc="Epoch", ncols=100).attach(engine, output_transform=values)


class EvaluationProgress:
    """One bar over the cases; on the first process.

    Args:
        description: what stands before the bar.
    """

    def __init__(self, description: str) -> None:
        self.description = description

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator."""
        if idist.get_rank() == 0:
            ProgressBar(desc=self.description, ncols=100, bar_format=None).attach(engine)
