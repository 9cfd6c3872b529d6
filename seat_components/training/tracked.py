"""What adversarial training does, among the trainer's metrics: for TensorBoard, MLflow and other trackers."""

from __future__ import annotations

import math

from ignite.engine import Engine, Events

from seat_components.training.update import TrainingUpdate


class TrackedStatistics:
    """Put each epoch's g and ``gradient_norm`` (K̃, where it is finite) into ``engine.state.metrics``.

    MONAI's tracking handlers write those metrics at the end of the epoch: list this one before them.

    Args:
        update: the training update that measures them; attached here, so that its epoch ends first.
    """

    def __init__(self, update: TrainingUpdate) -> None:
        self.update = update

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        self.update.attach(engine)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._publish)

    def _publish(self, engine: Engine) -> None:
        # The schedule sets the next epoch's g later in this event.
        engine.state.metrics["g"] = engine.state.replays
        if math.isfinite(engine.state.gradient_norm):
            engine.state.metrics["gradient_norm"] = engine.state.gradient_norm
        else:
            engine.state.metrics.pop("gradient_norm", None)
