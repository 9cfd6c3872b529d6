"""The resumable training checkpoint: everything that a run is, so that a resumed one equals an uninterrupted one."""

from __future__ import annotations

import logging
import operator
import shlex
import signal
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from torch import nn

from seat_components.budget import RANGE
from seat_components.files import failed_write, keep_as
from seat_components.networks.pretrained import unwrap
from seat_components.refusals import refuse
from seat_components.torch_file import read_torch_file, save_atomically
from seat_components.training.parts import Stateful, take_over
from seat_components.training.random_state import random_state, set_random_state
from seat_components.training.stopping import StopRequest, refuse_divergence

logger = logging.getLogger(__name__)
_FIXED_SETTINGS: Mapping[str, Any] = {"budget": RANGE}
"""Settings that a resumed run must share with its checkpoint; what one is where an older checkpoint does not say."""
_CHOSEN_BY = "val_images"
_CASES = {"training_cases": "trained on", "validation_cases": "validated on"}
"""Settings that are hashes of cases, and what is done with those; an older checkpoint does not say them."""
_NONE = "not set"


class TrainingCheckpoint:
    """Keep ``training_checkpoint.pt`` up to date, and go on from it.

    A resumed run ends with the weights of an uninterrupted one, on a CPU to the bit; on a GPU some of PyTorch's kernels
    may add up in any order, so that no two runs are the same to the bit.

    Written at the end of every epoch, and in the middle of one when the run is asked to stop (time limit, SIGTERM,
    Ctrl-C); always whole, since the file is replaced in one move, and the one before is kept beside it as
    ``training_checkpoint_previous.pt``. A run that starts afresh keeps an earlier one's newest as
    ``training_checkpoint_replaced.pt``: it may have been started so by mistake. Attach it last, so that it stores what
    the other handlers did in the same epoch.

    Args:
        directory: the run's checkpoint folder.
        parts: what to store besides the trainer's position, the random state and AMP's loss scale; name → object
            with ``state_dict`` and ``load_state_dict``.
        resume: go on from the checkpoint in ``directory``; without one, start afresh and say so.
        stop_after_minutes: stop, with a checkpoint, after this time; None never does.
        settings: name → value of what the run is trained with; a resumed run says where one has changed, and is refused
            where it is the budget, or what weights are chosen by.
        kept_settings: those of ``settings`` that a resumed run takes from its checkpoint, whatever they are now.
        optional: those of ``parts`` that a checkpoint may lack; they then begin afresh.

    Attributes:
        changed: names of the settings that are not those of the run that is resumed.
        stopped_by: the signal that has stopped the training before its end; None if none has.
    """

    FILE_NAME = "training_checkpoint.pt"
    PREVIOUS_NAME = "training_checkpoint_previous.pt"
    REPLACED_NAME = "training_checkpoint_replaced.pt"

    def __init__(
        self,
        directory: str | Path,
        parts: Mapping[str, Stateful],
        resume: bool = False,
        stop_after_minutes: float | None = None,
        settings: Mapping[str, Any] | None = None,
        kept_settings: Collection[str] = ("learning_rate",),
        optional: Collection[str] = (),
    ) -> None:
        self.path = Path(directory) / self.FILE_NAME
        self.previous = Path(directory) / self.PREVIOUS_NAME
        self.replaced = Path(directory) / self.REPLACED_NAME
        self.settings = {name: _plain(value) for name, value in (settings or {}).items()}
        self.kept_settings = frozenset(kept_settings)
        self.optional = frozenset(optional)
        self.changed: set[str] = set()
        self.stopped_by: signal.Signals | None = None
        self.parts = dict(parts)
        self.resume = resume
        self.stop = StopRequest(stop_after_minutes)
        self._loaded: dict[str, Any] | None = None
        self._finished = False
        # Whether what stands at ``path`` is of this run: an earlier run's is no checkpoint to go back to.
        self._is_ours = False

    def attach(self, engine: Engine) -> None:
        """Load the checkpoint, if this run resumes, and attach to the trainer.

        Raises:
            RefusalError: if the checkpoint cannot be read, does not fit, or is not there for all processes.
        """
        if self.resume:
            self._refuse_missing_elsewhere()
        if self.resume and self.path.is_file():
            self._load(engine)
        elif self.resume and self.previous.is_file():
            refuse(f"There is no {self.path}, but {self.previous.name} beside it. {self._take_previous()}")
        elif self.resume:
            logger.warning(f"There is no {self.path} to resume from: this run starts afresh.")
        elif self.path.is_file():
            logger.warning(
                f"{self.path} is from an earlier run, which resume.json would go on with. This run starts afresh: its "
                f"first checkpoint takes that one's place, which is kept as {self.replaced.name}."
            )
        engine.add_event_handler(Events.STARTED, self._on_start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._on_batch)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._on_epoch)
        for event in (Events.COMPLETED, Events.TERMINATE):
            engine.add_event_handler(event, self.stop.end)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._on_error)

    def _refuse_missing_elsewhere(self) -> None:
        """Processes that would start from different weights are refused before they train."""
        if idist.get_world_size() == 1:
            return
        holders = idist.all_reduce(int(self.path.is_file()))
        if 0 < holders < idist.get_world_size():
            refuse(
                f"{self.path} is there for {holders} of {idist.get_world_size()} processes only. Each machine must see "
                "the same ckpt_dir: take a shared folder, or copy the checkpoint to every machine."
            )

    def _load(self, engine: Engine) -> None:
        try:
            content = read_torch_file(self.path)
            stored = content["parts"]
            absent = [name for name in self.parts if name not in stored and name not in self.optional]
            kinds = {name: kind for name, kind in content.get("kinds", {}).items() if name in self.parts}
            iteration, before = (operator.index(content["position"][name]) for name in ("iteration", "epoch_length"))
            if iteration < 0 or before < 1:
                raise ValueError(f"its position is batch {iteration} of epochs of {before}")
        except Exception as error:
            refuse(f"{self.path} cannot be read as a training checkpoint ({error}). {self._way_out()}")
        if absent:
            refuse(f"{self.path} holds no {', '.join(absent)}: it is from another training method than this run's.")
        for name, kind in kinds.items():
            if kind != (own := type(self.parts[name]).__name__):
                refuse(
                    f"{self.path} is from another training method than this one: its {name} is a {kind}, not a {own}. "
                    "Resume with the configs it was trained with, or start from its weights with finetune.json."
                )
        settings = content.get("settings", {})
        self._refuse_changes(settings if isinstance(settings, Mapping) else {})
        for name, part in self.parts.items():
            if name not in stored:
                continue
            try:
                take_over(part, stored[name])
            except (LookupError, ValueError, RuntimeError, TypeError, AttributeError) as error:
                refuse(f"{self.path} does not fit this run ({name}): {error}")
        length = engine.state.epoch_length
        engine.state.iteration = iteration * length // before
        engine.state.epoch = engine.state.iteration // length
        if length != before:
            logger.warning(
                f"An epoch has {length} batches, but had {before} when {self.path} was written: the run goes on "
                "from the same epoch, but not exactly as if it had never stopped."
            )
        if engine.state.epoch > engine.state.max_epochs:
            refuse(
                f"{self.path} is that of a run with {engine.state.epoch} epochs done, but this one is to end after "
                f"{engine.state.max_epochs}: nothing is left to train. Give --epochs {engine.state.epoch} or more, or "
                "another --ckpt_dir for a new run."
            )
        self._say_changes(settings if isinstance(settings, Mapping) else {})
        self._loaded, self._is_ours = content, True
        self._finished = engine.state.epoch == engine.state.max_epochs
        done, inside = divmod(engine.state.iteration, length)
        logger.info(f"Resuming {self.path}: {done} epochs done" + (f" and {inside} batches." if inside else "."))

    def _refuse_changes(self, settings: Mapping[str, Any]) -> None:
        for name, fixed in _FIXED_SETTINGS.items():
            before, now = (said.get(name, fixed) for said in (settings, self.settings))
            if before != now:
                refuse(
                    f"{self.path} is from a training with --{name} {before}, but this one has {now}. Resume with "
                    f"--{name} {before}, or start from its weights with finetune.json."
                )
        before, now = (said.get(_CHOSEN_BY) for said in (settings, self.settings))
        if None not in (before, now) and before != now:
            refuse(
                f"{self.path} is from a training whose best weights are those of most Dice on {before} images, and "
                f"this one would choose by {now} images, whose Dice are others. Resume with the configs it was trained "
                "with, or start from its weights with finetune.json."
            )

    def _say_changes(self, before: Mapping[str, Any]) -> None:
        for name in dict.fromkeys([*before, *self.settings]) if before else ():
            was, now = (said.get(name, _NONE) for said in (before, self.settings))
            if was == now or name == _CHOSEN_BY or (name in _CASES and not {"", _NONE}.isdisjoint((was, now))):
                continue
            self.changed.add(name)
            if name in _CASES:
                logger.warning(
                    f"The cases {_CASES[name]} are not those of the run that is resumed, or their files have changed."
                )
                continue
            follows = f"the run keeps {was}" if name in self.kept_settings else f"from here on it is {now}"
            logger.warning(f"{name} was {was} in the run that is resumed, and is now {now}: {follows}.")

    def _way_out(self) -> str:
        """What to do about a checkpoint that is damaged."""
        return self._take_previous() if self.previous.is_file() else "Remove it to start afresh."

    def _take_previous(self) -> str:
        words = shlex.join(["mv", str(self.previous), str(self.path)])
        return f"To go on from the checkpoint before it, give this command, then resume again:\n    {words}"

    def _on_start(self, engine: Engine) -> None:
        self.stop.start()
        if self._finished:
            logger.warning(f"{self.path} is that of a finished run: nothing is left to train. More epochs go on.")
            # COMPLETED follows all the same: a run killed after its last checkpoint has not written its final weights.
            engine.terminate()
        if self._loaded is None:
            return
        # A scaler that was switched off, as on a CPU, has an empty state.
        try:
            if engine.scaler is not None and self._loaded["scaler"]:
                engine.scaler.load_state_dict(self._loaded["scaler"])
            set_random_state(self._loaded["random"], engine.state.device)
        except Exception as error:  # of another kind than was written, they may raise anything
            refuse(f"{self.path} does not fit this run ({error}). {self._way_out()}")
        self._loaded = None

    def _on_batch(self, engine: SupervisedTrainer) -> None:
        inside_epoch = engine.state.iteration % engine.state.epoch_length != 0
        if inside_epoch and self.stop.asked():
            self._save_and_stop(engine)

    def _on_epoch(self, engine: SupervisedTrainer) -> None:
        if self.stop.asked() and engine.state.epoch < engine.state.max_epochs:
            self._save_and_stop(engine)
        else:
            self.save(engine)

    def _save_and_stop(self, engine: SupervisedTrainer) -> None:
        refuse_divergence(engine)
        self.save(engine)
        self.stopped_by = self.stop.signal
        logger.warning(
            f"Stopped in epoch {engine.state.epoch} of {engine.state.max_epochs} ({self.stop.reason}). "
            f"{self.path} is saved: add configs/resume.json to go on."
        )
        engine.terminate(skip_completed=True)

    def _on_error(self, engine: Engine, error: BaseException) -> None:
        del engine
        self.stop.end()
        if (reason := failed_write(error)) is not None and not isinstance(error, SystemExit):
            refuse(f"The training ends, as a file cannot be read or written: {reason} ({error}).")
        raise error

    def save(self, engine: Engine) -> None:
        """Write the checkpoint now; to be called by every process."""
        content = {
            "parts": {
                name: (unwrap(part) if isinstance(part, nn.Module) else part).state_dict()
                for name, part in self.parts.items()
            },
            # Of networks the class says nothing: in several processes they are wrapped.
            "kinds": {
                name: type(part).__name__ for name, part in self.parts.items() if not isinstance(part, nn.Module)
            },
            "settings": self.settings,
            "position": {"iteration": engine.state.iteration, "epoch_length": engine.state.epoch_length},
            "scaler": None if engine.scaler is None else engine.scaler.state_dict(),
            "random": random_state(engine.state.device),
        }
        if idist.get_rank() == 0:
            if self._is_ours and self.path.is_file():
                keep_as(self.path, self.previous)
            elif not self._is_ours:
                if self.path.is_file():
                    keep_as(self.path, self.replaced)
                self.previous.unlink(missing_ok=True)
            save_atomically(content, self.path)
        self._is_ours = True


def _plain(value: Any) -> Any:
    """A value as it comes back from a checkpoint: lists for tuples."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
