"""What an attack works on: predictor, image, label and budget, with the passes that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from seat_components.attacks.inputs import check_counts, check_image, check_label, check_logits, plain
from seat_components.attacks.losses import Loss
from seat_components.attacks.predictor import Predictor, evaluating
from seat_components.budget import IntensityBudget


@dataclass(frozen=True)
class Victim:
    """A batch under attack.

    Attributes:
        predictor: image → logits.
        image: (B, C, *spatial), plain.
        label: (B, 1, *spatial), int64, plain.
        budget: what may be done to ``image``.
        highest_label: the highest class number in ``label``.
    """

    predictor: Predictor
    image: Tensor
    label: Tensor
    budget: IntensityBudget
    highest_label: int

    def logits(self, image: Tensor) -> Tensor:
        """The predictor's logits (B, K, *spatial), at least in single precision."""
        logits = self.predictor(image)
        check_logits(logits, image, self.highest_label)
        logits = logits.as_subclass(Tensor)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def value(self, image: Tensor, loss: Loss) -> Tensor:
        """The loss (B,) at ``image``: one forward pass, no graph."""
        with torch.no_grad():
            return self._loss(self.logits(image), loss)

    def value_and_gradient(self, image: Tensor, loss: Loss, kept_by: Loss | None = None) -> tuple[Tensor, Tensor]:
        """The value (B,) at ``image``, and V·∂loss/∂image (B, C, *spatial), V the number of voxels: one pass each way.

        Args:
            image: the point, which is the network's own input.
            loss: what is differentiated. It is multiplied by V, as the gradients of a mean over a volume vanish in
                half precision.
            kept_by: what the value is, where it is not ``loss``.

        Elements of the gradient that are not finite become 0.

        Raises:
            ValueError: if no gradient reaches the image.
        """
        point = image.detach().requires_grad_()
        voxels = self.label[0].numel()
        with torch.enable_grad():
            logits = self.logits(point)
            losses = self._loss(logits, loss)
            gradient = None
            if losses.requires_grad:
                (gradient,) = torch.autograd.grad(losses.sum() * voxels, point, allow_unused=True)
        if gradient is None:
            raise ValueError(
                "the loss carries no gradient to the image: attack a differentiable predictor (no argmax, no "
                "torch.no_grad inside), or use the attack 'square', which needs none"
            )
        value = losses if kept_by is None else self._loss(logits.detach(), kept_by)
        return value.detach(), gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)

    def _loss(self, logits: Tensor, loss: Loss) -> Tensor:
        losses = loss(logits, self.label)
        if losses.shape != (len(self.image),):
            raise ValueError(f"loss returned shape {tuple(losses.shape)}, but it must be one value per sample: (B,)")
        return losses

    def project(self, candidate: Tensor) -> Tensor:
        """The image inside the budget nearest to ``candidate``."""
        return self.budget.project(candidate, self.image)

    def random_start(self, generator: torch.Generator | None) -> Tensor:
        """x + δ with δ uniform in ±ε_b, inside the budget."""
        noise = uniform(self.image, generator).mul_(2).sub_(1)
        return self.project(self.image + self.budget.radius * noise)


def uniform(like: Tensor, generator: torch.Generator | None, shape: tuple[int, ...] | None = None) -> Tensor:
    """Numbers in [0, 1), of ``like``'s type, device and (unless given) shape.

    They are drawn on the generator's device, so that a CPU generator gives the same numbers everywhere.
    """
    device = like.device if generator is None else generator.device
    drawn = torch.rand(shape or like.shape, generator=generator, device=device, dtype=like.dtype)
    return drawn.to(like.device)


@contextmanager
def under_attack(
    predictor: Predictor,
    image: Tensor,
    label: Tensor,
    eps: float,
    bounds: tuple[float, float] | None,
    steps: int = 1,
    restarts: int = 1,
) -> Iterator[Victim]:
    """Check what an attack was given and open it: the predictor is in evaluation mode inside, and as before after.

    Gradients are taken by ``torch.autograd.grad`` with respect to the image alone, so that no parameter's ``.grad``
    is touched.

    Raises:
        ValueError: if image, label, ``eps``, ``bounds``, ``steps`` or ``restarts`` break a rule.
    """
    with torch.inference_mode(False), evaluating(predictor):
        image, label = plain(image), plain(label)
        check_counts(steps, restarts)
        check_image(image, bounds)
        highest_label = check_label(label, image)
        budget = IntensityBudget.of(image, eps, bounds)
        yield Victim(predictor, image, label.long(), budget, highest_label)
