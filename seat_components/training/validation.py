"""Validation every few epochs, and in the last one."""

from __future__ import annotations

from ignite.engine import Engine, Events
from monai.handlers import ValidationHandler


class Validation(ValidationHandler):
    """MONAI's ``ValidationHandler``, which also validates the last epoch whatever the interval.

    Args:
        validator: the evaluator to run.
        interval: epochs between two validations.
    """

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""

        def due(trainer: Engine, epoch: int) -> bool:
            return bool(epoch % self.interval == 0 or epoch == trainer.state.max_epochs)

        engine.add_event_handler(Events.EPOCH_COMPLETED(event_filter=due), self)
