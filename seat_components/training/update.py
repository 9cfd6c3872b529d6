"""One mini-batch of training: backpropagation in pieces, the optimiser's step, and what is counted on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from monai.data import MetaTensor
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys as Keys
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from seat_components.refusals import refuse
from seat_components.training.statistics import EpochStatistics
from seat_components.training.stopping import refuse_divergence


class TrainingUpdate(ABC):
    """Base of the ``iteration_update`` callables of ``SupervisedTrainer``.

    A method says in ``train_batch`` which inputs the network sees and how often; this class does the rest. With the
    last batch of each epoch it publishes ``engine.state.train_loss``, ``gradient_norm`` (K̃) and ``backpropagations``
    (per batch, counted where backward() is called), for the handlers of the epoch's end.

    Args:
        pieces: the number of parts that each batch is split into, to save memory; the optimiser's step, and what
            is measured, are those of the whole batch.

    Attributes:
        last_batch: image and label of the epoch's last batch, from its end to the next epoch's first batch.

    Raises:
        RefusalError: if ``pieces`` is not a positive integer; at an epoch's end, if the training has diverged.
    """

    def __init__(self, pieces: int = 1) -> None:
        if pieces != int(pieces) or pieces < 1:
            refuse(f"pieces is {pieces}, but a batch is split into a whole number of parts, 1 or more")
        self.pieces = int(pieces)
        self.statistics = EpochStatistics()
        self.last_batch: tuple[Tensor, Tensor] | None = None

    @abstractmethod
    def train_batch(self, engine: SupervisedTrainer, image: Tensor, label: Tensor) -> None:
        """Train on one batch: image (B, C, *spatial), label (B, 1, *spatial), both on the engine's device."""

    def __call__(self, engine: SupervisedTrainer, batchdata: dict[str, Tensor]) -> dict[str, Tensor]:
        """Train on ``batchdata``; returns the engine's output: image (as the network saw it), label, pred, loss."""
        image, label = image_and_label(engine, batchdata)
        engine.network.train()
        engine.state.output = {Keys.IMAGE: image, Keys.LABEL: label}
        self.train_batch(engine, image, label)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        self.last_batch = None
        if engine.state.epoch_length and engine.state.iteration % engine.state.epoch_length == 0:
            self.last_batch = image, label
            self._end_epoch(engine)
        output: dict[str, Tensor] = engine.state.output
        return output

    def backpropagate(self, engine: SupervisedTrainer, image: Tensor, label: Tensor, last: bool = True) -> Tensor:
        """One backpropagation at ``image``: fills the weights' gradients, and returns the gradient at ``image``.

        The gradient carries AMP's loss scale, if any. Only the ``last`` replay's is measured.
        """
        engine.optimizer.zero_grad(set_to_none=engine.optim_set_to_none)
        parts = list(zip(image.chunk(self.pieces), label.chunk(self.pieces), strict=True))
        gradients, predictions, losses = [], [], []
        for index, (image_part, label_part) in enumerate(parts):
            share = len(image_part) / len(image)
            inputs = image_part.detach().requires_grad_()
            with self._synchronised(engine, index == len(parts) - 1):
                with self.autocast(engine):
                    prediction = engine.inferer(inputs, engine.network)
                    loss = engine.loss_function(prediction, label_part).mean() * share
                self._scaled(engine, loss).backward()
            self.statistics.count_backward(len(image_part))
            gradients.append(gradient_of(inputs))
            predictions.append(prediction.detach())
            losses.append(loss.detach())
        gradient, prediction, loss = join(gradients), join(predictions), torch.stack(losses).sum()
        engine.state.output.update({Keys.IMAGE: image, Keys.PRED: prediction, Keys.LOSS: loss})
        for event in (IterationEvents.FORWARD_COMPLETED, IterationEvents.LOSS_COMPLETED):
            engine.fire_event(event)
        if last:
            # Asking the scaler to scale a one gives the scale as a tensor; get_scale() would wait for the device.
            self.statistics.add_batch(loss, gradient, self._scaled(engine, torch.ones_like(loss)))
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)
        return gradient

    def step(self, engine: SupervisedTrainer) -> None:
        """The optimiser's step (under AMP skipped where a gradient overflowed)."""
        if engine.scaler is None:
            engine.optimizer.step()
        else:
            engine.scaler.step(engine.optimizer)
            engine.scaler.update()

    @staticmethod
    def autocast(engine: SupervisedTrainer) -> AbstractContextManager[Any]:
        """AMP's mixed precision, where the engine trains in it."""
        if engine.scaler is None:
            return nullcontext()
        return torch.autocast(torch.device(engine.state.device).type, **engine.amp_kwargs)

    @staticmethod
    def _scaled(engine: SupervisedTrainer, loss: Tensor) -> Tensor:
        return loss if engine.scaler is None else engine.scaler.scale(loss)

    @staticmethod
    def _synchronised(engine: SupervisedTrainer, last_part: bool) -> AbstractContextManager[Any]:
        """Processes exchange gradients once per backpropagation, with its last part."""
        network = engine.network
        return network.no_sync() if isinstance(network, DistributedDataParallel) and not last_part else nullcontext()

    def _end_epoch(self, engine: SupervisedTrainer) -> None:
        for name, value in self.statistics.compute().items():
            setattr(engine.state, name, value)
        self.statistics.reset()
        refuse_divergence(engine)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs; to be called by every process."""
        return {"statistics": self.statistics.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, which may have been taken in the middle of an epoch."""
        self.statistics.load_state_dict(state["statistics"])


def image_and_label(engine: SupervisedTrainer, batchdata: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """A batch's image (B, C, *spatial) and label (B, 1, *spatial) on the trainer's device, as plain tensors."""
    batch = engine.prepare_batch(batchdata, engine.state.device, engine.non_blocking, **engine.to_kwargs)
    image, label = (part.as_tensor() if isinstance(part, MetaTensor) else part for part in batch[:2])
    return image, label


def share_out(engine: SupervisedTrainer) -> None:
    """Give handlers the output as they know it from MONAI's decollating, one dict per sample, but wait for no value.

    The samples' tensors are views of the batch's, and the loss of the batch stands, still on the device, in each.
    """
    output: dict[str, Tensor] = engine.state.output
    engine.state.output = [
        {name: value.detach()[index] if value.ndim else value.detach() for name, value in output.items()}
        for index in range(len(output[Keys.IMAGE]))
    ]


def gradient_of(inputs: Tensor) -> Tensor:
    """The gradient that backward() left at ``inputs``; 0 if the loss does not depend on them."""
    return torch.zeros_like(inputs) if inputs.grad is None else inputs.grad


def join(parts: list[Tensor]) -> Tensor:
    """The parts of a batch as one tensor; a single part is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)
