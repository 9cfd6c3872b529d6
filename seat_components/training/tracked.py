"""What adversarial training does, among the trainer's metrics: for TensorBoard, MLflow and other trackers."""

from __future__ import annotations

import math

from ignite.engine import Engine, Events


class TrackedStatistics:
    """Put each epoch's g and ``gradient_norm`` (K̃, where it is finite) into ``engine.state.metrics``.

    MONAI's tracking handlers write those metrics at the end of the epoch: list this one before them. The training
    update must be one of this package, which measures them.
    """

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._publish)

    def _publish(self, engine: Engine) -> None:
        # The schedule sets the next epoch's g later in this event.
        engine.state.metrics["g"] = engine.state.replays
        if math.isfinite(engine.state.gradient_norm):
            engine.state.metrics["gradient_norm"] = engine.state.gradient_norm
        else:
            engine.state.metrics.pop("gradient_norm", None)
