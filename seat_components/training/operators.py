"""The form of a trained network's operators: timed with the first batch on a GPU, kept where a run resumes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Events
from monai.engines import SupervisedTrainer
from torch import Tensor, nn

from seat_components.networks.pretrained import unwrap
from seat_components.training.update import TrainingUpdate, image_and_label

logger = logging.getLogger(__name__)

_REPEATS = 3


class OperatorTrial:
    """Before a run's first batch is trained on, time a step of each form on it, and take the faster one.

    Weights, gradients and random numbers stay as they are. A resumed run has had its first batch, and keeps the form
    that it had.

    Args:
        pieces: the number of parts that each batch is split into; one of them is timed.
        clock: gives the time in seconds.
    """

    def __init__(self, pieces: int = 1, clock: Callable[[], float] = time.perf_counter) -> None:
        self.pieces = pieces
        self.clock = clock

    def attach(self, engine: SupervisedTrainer) -> None:
        """Attach to the trainer of a network with an attribute ``operators``."""
        engine.add_event_handler(Events.ITERATION_STARTED(once=1), self._choose)

    def _choose(self, engine: SupervisedTrainer) -> None:
        image, label = (part.chunk(self.pieces)[0] for part in image_and_label(engine, engine.state.batch))
        seconds = {form: self._seconds(engine, form, image, label) for form in ("stock", "fast")}
        faster = min(seconds, key=lambda form: seconds[form])
        if idist.get_world_size() > 1:
            # All processes run what the first one measured.
            faster = idist.broadcast(faster, src=0)
        unwrap(engine.network).operators = faster  # type: ignore[assignment]
        times = ", ".join(f"{form} {1000 * value:.1f} ms" for form, value in seconds.items())
        logger.info(f"A step of the first batch on {engine.state.device} takes: {times}. The network runs {faster}.")

    def _seconds(self, engine: SupervisedTrainer, form: str, image: Tensor, label: Tensor) -> float:
        """The shortest of a few steps, after one that chooses kernels and fills caches."""
        network = unwrap(engine.network)
        network.operators = form  # type: ignore[assignment]
        device = torch.device(engine.state.device)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            self._step(engine, network, image, label)
            times = []
            for _ in range(_REPEATS):
                self._wait(device)
                start = self.clock()
                self._step(engine, network, image, label)
                self._wait(device)
                times.append(self.clock() - start)
        return min(times)

    @staticmethod
    def _step(engine: SupervisedTrainer, network: nn.Module, image: Tensor, label: Tensor) -> None:
        inputs = image.detach().requires_grad_()
        with TrainingUpdate.autocast(engine):
            loss = engine.loss_function(engine.inferer(inputs, network.train()), label).mean()
        wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
        torch.autograd.grad(loss, [inputs, *wanted], allow_unused=True)

    @staticmethod
    def _wait(device: torch.device) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)


class OperatorForm:
    """The form that a network is trained with: a resumed run takes it over, so that it is an uninterrupted one.

    On another kind of device sums round otherwise in any case, and the run goes on in the form that suits it there.

    Args:
        network: one with an attribute ``operators``.
        asked: "fast" or "stock" where the run is to have that form, "auto" for any.
    """

    def __init__(self, network: nn.Module, asked: str) -> None:
        self.network = unwrap(network)
        self.asked = asked

    def state_dict(self) -> dict[str, Any]:
        """The form, and the kind of device that it runs on."""
        return {"form": self.network.operators, "device": self._device()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the form over.

        Raises:
            ValueError: if another one was asked for.
        """
        kept, own = state["form"], self._device()
        if state.get("device", own) != own:
            logger.warning(
                f"The run was begun on {state['device']} and goes on on {own}, with {self.network.operators} "
                "operators: not to the bit as if it had never stopped."
            )
            return
        if self.asked not in ("auto", kept):
            raise ValueError(
                f"it was trained with {kept} operators, and {self.asked} ones round otherwise: leave --operators out."
            )
        if self.network.operators != kept:
            self.network.operators = kept
            logger.info(f"The network runs {kept} operators, as in the run that is resumed.")

    def _device(self) -> str:
        return next((parameter.device.type for parameter in self.network.parameters()), "cpu")
