"""Saving weights: the best network by validation, and the final one, as bare state dicts."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import Tensor, nn

from seat_components.files import sha256_of
from seat_components.networks.pretrained import unwrap
from seat_components.torch_file import save_atomically

logger = logging.getLogger(__name__)

MODEL = "model.pt"
"""The network of the best epoch."""


def bare_state_dict(network: nn.Module) -> dict[str, Tensor]:
    """The network's own state dict (without DistributedDataParallel's prefix), on the CPU."""
    return {name: value.detach().cpu() for name, value in unwrap(network).state_dict().items()}


class WeightSaver:
    """Write ``model.pt`` whenever validation finds a new best key metric, and ``model_final.pt`` when training ends.

    Where a run begins clean (g = 1) and then trains on attacked images, as SEAT does, its first epochs are better on
    clean images than what it is after: they are the best only as long as no epoch on attacked images was validated.
    A run that never validates ends with ``model.pt`` being the final weights. Attach it to the trainer, after the
    validation handler, and give it the validator that the handler runs.

    Args:
        network: the network that is trained.
        directory: where the files go.
        validator: MONAI evaluator with a key metric, or None.
    """

    def __init__(self, network: nn.Module, directory: str | Path, validator: Engine | None = None) -> None:
        self.network = network
        self.directory = Path(directory)
        self.validator = validator
        self._best_epoch = -1
        self._sha256: str | None = None
        # Whether a ``model.pt`` that this run has not written is left alone until an epoch is validated.
        self._spared = False
        # The last of the clean epochs that the run began with; None once it is known that they count like others.
        self._clean_until: int | None = 0

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.STARTED, self._announce)
        engine.add_event_handler(Events.EPOCH_STARTED, self._leave_clean_start)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._keep_best)
        engine.add_event_handler(Events.COMPLETED, self._keep_final)

    def _announce(self, engine: Engine) -> None:
        file = self.directory / MODEL
        # A resumed run goes on with its own file.
        if engine.state.iteration == 0 and file.is_file() and idist.get_rank() == 0:
            logger.warning(f"{file} is there already and will be replaced: to keep it, train with --ckpt_dir FOLDER.")

    def _leave_clean_start(self, engine: Engine) -> None:
        """With the first epoch on attacked images begin to look for the best anew."""
        if self._clean_until is None:
            return
        if getattr(engine.state, "replays", 1) == 1:
            self._clean_until = engine.state.epoch
            return
        if self._best_epoch != -1 and self.validator is not None:
            self._forget()
            logger.info(
                f"From epoch {engine.state.epoch} on images are attacked: the clean epochs 1 to {self._clean_until} no "
                "longer count for model.pt, which the next validation replaces."
            )
        self._clean_until = None

    def forget_best(self, why: str) -> None:
        """Look for the best epoch anew, where the one so far is none any more; ``why`` is said, with what follows."""
        if self._best_epoch == -1:
            return
        self._forget()
        self._spared = (self.directory / MODEL).is_file()
        if idist.get_rank() == 0:
            logger.warning(f"{why} The best epoch is looked for anew: the next validation writes {MODEL}.")

    def _forget(self) -> None:
        self._best_epoch, self._sha256 = -1, None
        if self.validator is not None:
            self.validator.state.best_metric, self.validator.state.best_metric_epoch = -1.0, -1

    def _keep_best(self) -> None:
        best_epoch = -1 if self.validator is None else self.validator.state.best_metric_epoch
        if best_epoch != self._best_epoch:
            self._best_epoch = best_epoch
            self._save(MODEL)

    def _keep_final(self, engine: Engine) -> None:
        self._save("model_final.pt")
        if self._best_epoch == -1 and not self._spared:
            self._save(MODEL)
        if idist.get_rank() == 0:
            logger.info(f"{self.directory / MODEL} is {self._reason(engine.state.epoch)}.")

    def _reason(self, last: int) -> str:
        """Which epoch was kept, and why."""
        if self._best_epoch == -1 and self._spared:
            return "left as it was, as no epoch was validated since this run was resumed"
        if self._best_epoch == -1 or self.validator is None:
            return f"the network of epoch {last}, the last, as no epoch was validated"
        metric = f"{self.validator.state.key_metric_name} {float(self.validator.state.best_metric):.4f}"
        return f"the network of epoch {self._best_epoch}, the best of those validated ({metric})"

    def _save(self, name: str) -> None:
        if idist.get_rank() == 0:
            save_atomically(bare_state_dict(self.network), self.directory / name)
            if name == MODEL:
                self._sha256 = sha256_of(self.directory / name)

    def state_dict(self) -> dict[str, Any]:
        """The best metric so far, its epoch and its weights' hash, and whether clean epochs have been all so far."""
        best = -1.0 if self.validator is None else float(self.validator.state.best_metric)
        return {
            "best_metric": best,
            "best_metric_epoch": self._best_epoch,
            "model_sha256": self._sha256,
            "clean_until": self._clean_until,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the validator compare with the best of the run's earlier part, if its weights are here."""
        self._best_epoch, self._sha256 = state["best_metric_epoch"], state.get("model_sha256")
        self._clean_until = state.get("clean_until")
        if self.validator is not None:
            self.validator.state.best_metric = state["best_metric"]
            self.validator.state.best_metric_epoch = state["best_metric_epoch"]
        self._require_best()

    def _require_best(self) -> None:
        """Forget a best epoch whose weights are not in the folder, as that of a checkpoint that was copied alone."""
        file = self.directory / MODEL
        if self._best_epoch == -1:
            return
        best = f"the network of epoch {self._best_epoch}, the best that this run had validated"
        if not file.is_file():
            self.forget_best(f"There is no {file}: {best}, is missing.")
        elif self._sha256 not in (None, sha256_of(file)):
            self.forget_best(f"{file} is not {best}.")
