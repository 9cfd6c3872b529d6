"""What is timed: a prediction, a training step, a FREE-5 batch and APGD steps, on one batch of random values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from monai.engines import SupervisedTrainer
from monai.losses import DiceCELoss
from torch import Tensor, nn

from seat_components.attacks import apgd
from seat_components.training import FixedSchedule, FreeUpdate

LABELS = 3
# AMP's first loss scale, by which the gradients of a step are as large as a training's.
LOSS_SCALE = 65536.0
REPLAYS = 5
APGD_STEPS = 2


@dataclass(frozen=True)
class Geometry:
    """A batch, and the strides of the network that reads it."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Batch:
    """Images (B, M, *spatial), labels (B, 1, *spatial), and whether the network runs in float16, as with AMP."""

    image: Tensor
    label: Tensor
    amp: bool = False

    def predict(self, form: nn.Module, image: Tensor) -> Tensor:
        """Logits, under autocast where ``amp``."""
        device = self.image.device.type
        with torch.autocast(device, torch.float16) if self.amp else nullcontext():
            logits: Tensor = form(image)
        return logits


def random_batch(geometry: Geometry, device: torch.device, amp: bool = False) -> Batch:
    """A batch of random values."""
    image = torch.rand(geometry.shape, device=device)
    label = torch.randint(LABELS, (geometry.shape[0], 1, *geometry.shape[2:]), device=device)
    return Batch(image, label, amp)


@torch.no_grad()
def forward(form: nn.Module, batch: Batch) -> None:
    """A prediction."""
    batch.predict(form, batch.image)


def step(form: nn.Module, batch: Batch) -> None:
    """The gradients of a training step under attack: of the weights and of the image."""
    form.zero_grad(set_to_none=True)
    attacked = batch.image.detach().requires_grad_()
    loss = nn.functional.cross_entropy(batch.predict(form, attacked).float(), batch.label[:, 0])
    (loss * LOSS_SCALE if batch.amp else loss).backward()


def free_batch(form: nn.Module, batch: Batch) -> None:
    """A batch of FREE-5 training, as the bundles run it: five backpropagations, updates of noise and weights."""
    update, fused = FreeUpdate(len(batch.image)), batch.image.device.type == "cuda" or None
    trainer = SupervisedTrainer(
        device=batch.image.device,
        max_epochs=1,
        train_data_loader=[{"image": batch.image, "label": batch.label}],
        network=form,
        optimizer=torch.optim.SGD(form.parameters(), lr=1e-6, momentum=0.9, fused=fused),
        loss_function=DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=False),
        iteration_update=update,
        amp=batch.amp,
        decollate=False,
        optim_set_to_none=True,
    )
    FixedSchedule(REPLAYS).attach(trainer)
    trainer.run()


def apgd_steps(form: nn.Module, batch: Batch) -> None:
    """A few steps of APGD on the cross-entropy."""
    apgd(lambda image: batch.predict(form, image), batch.image, batch.label, eps=8 / 255, steps=APGD_STEPS)


LOOPS: dict[str, Callable[[nn.Module, Batch], None]] = {
    f"FREE-{REPLAYS} batch": free_batch,
    f"{APGD_STEPS} APGD steps": apgd_steps,
}
WORK: dict[str, Callable[[nn.Module, Batch], None]] = {"forward": forward, "step": step, **LOOPS}
