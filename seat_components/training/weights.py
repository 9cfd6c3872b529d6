"""Saving weights: the best network by validation, and the final one, as bare state dicts."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import Tensor, nn

from seat_components.networks.parallel import unwrap
from seat_components.training.files import save_atomically

logger = logging.getLogger(__name__)


def bare_state_dict(network: nn.Module) -> dict[str, Tensor]:
    """The network's own state dict (without DistributedDataParallel's prefix), on the CPU."""
    return {name: value.detach().cpu() for name, value in unwrap(network).state_dict().items()}


class WeightSaver:
    """Write ``model.pt`` whenever validation finds a new best key metric, and ``model_final.pt`` when training ends.

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

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.STARTED, self._announce)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._keep_best)
        engine.add_event_handler(Events.COMPLETED, self._keep_final)

    def _announce(self, engine: Engine) -> None:
        file = self.directory / "model.pt"
        # A resumed run goes on with its own file.
        if engine.state.iteration == 0 and file.is_file() and idist.get_rank() == 0:
            logger.warning(f"{file} is there already and will be replaced: to keep it, train with --ckpt_dir FOLDER.")

    def _keep_best(self) -> None:
        best_epoch = -1 if self.validator is None else self.validator.state.best_metric_epoch
        if best_epoch != self._best_epoch:
            self._best_epoch = best_epoch
            self._save("model.pt")

    def _keep_final(self) -> None:
        self._save("model_final.pt")
        if self._best_epoch == -1:
            self._save("model.pt")

    def _save(self, name: str) -> None:
        if idist.get_rank() == 0:
            save_atomically(bare_state_dict(self.network), self.directory / name)

    def state_dict(self) -> dict[str, Any]:
        """The best metric so far, and its epoch."""
        best = -1.0 if self.validator is None else float(self.validator.state.best_metric)
        return {"best_metric": best, "best_metric_epoch": self._best_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the validator compare with the best of the run's earlier part."""
        self._best_epoch = state["best_metric_epoch"]
        if self.validator is not None:
            self.validator.state.best_metric = state["best_metric"]
            self.validator.state.best_metric_epoch = state["best_metric_epoch"]
