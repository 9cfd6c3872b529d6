"""What an attack works on: predictor, image, label and budget, with the passes that it makes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import torch
from torch import Tensor

from seat_components.attacks.inputs import check_counts, check_image, check_label, check_logits, plain
from seat_components.attacks.losses import Loss
from seat_components.attacks.predictor import Predictor, ask, evaluating
from seat_components.attacks.reading import Reading
from seat_components.budget import RANGE, IntensityBudget

if TYPE_CHECKING:
    from typing_extensions import Unpack


class VictimOptions(TypedDict, total=False):
    """Keywords of every attack: see ``Reading``, ``Victim`` for ``draws``, ``IntensityBudget.of`` for ``budget``."""

    outputs: str
    ignore_index: int | None
    draws: int
    budget: str


@dataclass(frozen=True)
class Victim:
    """A batch under attack.

    Attributes:
        predictor: image → logits.
        image: (B, C, *spatial), plain.
        label: (B, 1, *spatial), int64, plain; (B, K, *spatial) where the outputs are sigmoids.
        budget: what may be done to ``image``.
        highest_label: the highest class number in ``label``.
        reading: how the logits are read.
        draws: a network that answers differently each time is asked so often; losses and gradients are means.
    """

    predictor: Predictor
    image: Tensor
    label: Tensor
    budget: IntensityBudget
    highest_label: int
    reading: Reading
    draws: int

    def logits(self, image: Tensor) -> Tensor:
        """The predictor's logits (B, K, *spatial), at least in single precision."""
        logits = ask(self.predictor, image)
        check_logits(logits, self.label, self.highest_label, self.reading)
        logits = logits.as_subclass(Tensor)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def value(self, image: Tensor, loss: Loss) -> Tensor:
        """The loss (B,) at ``image``: one forward pass per draw, no graph."""
        with torch.no_grad():
            return _mean([self._loss(self.logits(image), loss) for _ in range(self.draws)])

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
        asked = [self._value_and_gradient(image, loss, kept_by) for _ in range(self.draws)]
        values, gradients = zip(*asked, strict=True)
        return _mean(values), _mean(gradients)

    def _value_and_gradient(self, image: Tensor, loss: Loss, kept_by: Loss | None) -> tuple[Tensor, Tensor]:
        point = image.detach().requires_grad_()
        with torch.enable_grad():
            logits = self.logits(point)
            losses = self._loss(logits, loss)
            gradient = self.gradient(losses, point)
        value = losses if kept_by is None else self._loss(logits.detach(), kept_by)
        return value.detach(), gradient

    def value_before_gradient(self, image: Tensor, loss: Loss) -> tuple[Tensor, Callable[[], Tensor]]:
        """As ``value_and_gradient``, but the pass back is made when the gradient is asked for, if it is."""
        point = image.detach().requires_grad_()
        with torch.enable_grad():
            losses = _mean([self._loss(self.logits(point), loss) for _ in range(self.draws)])
        return losses.detach(), lambda: self.gradient(losses, point)

    def gradient(self, losses: Tensor, point: Tensor) -> Tensor:
        """V·∂losses/∂point (B, C, *spatial), from the graph of ``losses`` (B,).

        Raises:
            ValueError: if no gradient reaches the image.
        """
        gradient = None
        if losses.requires_grad:
            (gradient,) = torch.autograd.grad(losses.sum() * self.voxels, point, allow_unused=True)
        if gradient is None:
            raise ValueError(
                "the loss carries no gradient to the image: attack a differentiable predictor (no argmax, no "
                "torch.no_grad inside), or use the attack 'square' (protocol 'black-box'), which needs none"
            )
        return gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)

    @property
    def voxels(self) -> int:
        """The number V of voxels of a label."""
        return self.label[0].numel()

    def _loss(self, logits: Tensor, loss: Loss) -> Tensor:
        losses = self.reading.losses(loss, logits, self.label)
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
    **options: Unpack[VictimOptions],
) -> Iterator[Victim]:
    """Check what an attack was given and open it: the predictor is in evaluation mode inside, and as before after.

    Gradients are taken by ``torch.autograd.grad`` with respect to the image alone, so that no parameter's ``.grad``
    is touched.

    Raises:
        TypeError: naming an option that no attack has.
        ValueError: if image, label, ``eps``, ``bounds``, ``steps``, ``restarts`` or one of ``options`` breaks a rule.
    """
    _check_names(options)
    draws = options.get("draws", 1)
    reading = Reading(options.get("outputs", "softmax"), options.get("ignore_index"))
    with torch.inference_mode(False), evaluating(predictor):
        image, label = plain(image), plain(label)
        check_counts(steps=steps, restarts=restarts, draws=draws)
        check_image(image, bounds)
        highest_label = check_label(label, image, reading)
        budget = IntensityBudget.of(image, eps, bounds, options.get("budget", RANGE))
        yield Victim(predictor, image, label.long(), budget, highest_label, reading, draws)


def _check_names(options: Iterable[str]) -> None:
    # What a TypedDict promises, Python does not check: a misspelt option, or one of another library, as in norm="L2",
    # would be another attack than the one asked for.
    known = sorted(VictimOptions.__annotations__)
    for name in options:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            meant = f"; {nearest[0]!r} is meant, perhaps" if nearest else ""
            raise TypeError(f"no attack has an option {name!r}{meant}; beside its own, each has {', '.join(known)}")


def _mean(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(tuple(parts)).mean(dim=0)
