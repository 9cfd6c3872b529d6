"""The small handlers of a run: validation, metrics for trackers, the order of the data."""

from __future__ import annotations

import math

import ignite.distributed as idist
import torch.distributed as dist
from ignite.engine import Engine, Events
from monai.handlers import ValidationHandler


class Validation(ValidationHandler):
    """MONAI's ``ValidationHandler``, which also validates the last epoch whatever the interval.

    In several processes each has statistics of its own in its batch norms: all validate those of the first, which are
    what is saved. Give the validator the network itself: DistributedDataParallel exchanges buffers in every forward
    pass, but processes have different numbers of windows to predict, and would wait for each other for ever.

    Args:
        validator: the evaluator to run.
        interval: epochs between two validations.
    """

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""

        def due(trainer: Engine, _: int) -> bool:
            return is_validated(trainer, self.interval)

        engine.add_event_handler(Events.EPOCH_COMPLETED(event_filter=due), self)

    def __call__(self, engine: Engine) -> None:
        """Validate."""
        if idist.get_world_size() > 1:
            for buffer in engine.network.buffers():
                dist.broadcast(buffer, src=0)
        super().__call__(engine)


def is_validated(trainer: Engine, interval: int) -> bool:
    """Whether the epoch that ends is one that is validated: every ``interval``-th, and the last."""
    return bool(trainer.state.epoch % interval == 0 or trainer.state.epoch == trainer.state.max_epochs)


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


class DataOrder:
    """Tell the training loader's ``EpochSampler`` at each epoch's start which epoch it is, and how much of it is done.

    When the training ends, so do the loader's workers. A loader that knows nothing of either is left alone.
    """

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._set_position)
        for event in (Events.COMPLETED, Events.TERMINATE):
            engine.add_event_handler(event, self._close)

    def _set_position(self, engine: Engine) -> None:
        loader = engine.data_loader
        set_position = getattr(getattr(loader, "sampler", None), "set_position", None)
        if set_position is not None:
            done = engine.state.iteration % engine.state.epoch_length
            set_position(engine.state.epoch - 1, done * loader.batch_size)

    @staticmethod
    def _close(engine: Engine) -> None:
        if (close := getattr(engine.data_loader, "close", None)) is not None:
            close()
