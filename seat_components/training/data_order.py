"""The training loader beside its trainer: in step with the epoch, also after a resume, and ended with the training."""

from __future__ import annotations

from ignite.engine import Engine, Events


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
