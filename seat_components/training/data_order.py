"""Keeping the order of the training samples in step with the trainer's epoch, also after a resume."""

from __future__ import annotations

from ignite.engine import Engine, Events


class DataOrder:
    """Tell the training loader's ``EpochSampler`` at each epoch's start which epoch it is, and how much of it is done.

    A loader without such a sampler is left alone.
    """

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._set_position)

    def _set_position(self, engine: Engine) -> None:
        loader = engine.data_loader
        set_position = getattr(getattr(loader, "sampler", None), "set_position", None)
        if set_position is not None:
            done = engine.state.iteration % engine.state.epoch_length
            set_position(engine.state.epoch - 1, done * loader.batch_size)
