"""The training methods, each an ``iteration_update``: clean, random noise, FREE (and so SEAT), PGD, N-FGSM."""

from __future__ import annotations

import logging
import math
from typing import Any

import ignite.distributed as idist
import torch
from monai.engines import SupervisedTrainer
from torch import Tensor

from seat_components.budget import RANGE, IntensityBudget, check_budget, check_eps_255
from seat_components.buffers import Buffers
from seat_components.networks.pretrained import unwrap
from seat_components.refusals import refuse
from seat_components.training.noise import NoiseBuffer, ascend_noise
from seat_components.training.update import TrainingUpdate, gradient_of

logger = logging.getLogger(__name__)


class CleanUpdate(TrainingUpdate):
    """Ordinary training: one backpropagation at the image itself."""

    def train_batch(self, engine: SupervisedTrainer, image: Tensor, label: Tensor) -> None:
        """One backpropagation and one step."""
        self.backpropagate(engine, image, label)
        self.step(engine)


class PerturbedUpdate(TrainingUpdate):
    """Base of the methods that perturb the image within ε_b, per sample and channel.

    Args:
        eps_255: ε in units of 1/255.
        step_ratio: α / ε_b, the step on the perturbation; the paper's is 1/2.
        seed: seed of the random perturbations; each process adds its rank.
        pieces: see ``TrainingUpdate``.
        budget: what ε is a share of, ``range`` or ``contrast``: see ``IntensityBudget.of``.

    Raises:
        RefusalError: if ``eps_255`` or ``step_ratio`` is outside its range, or ``budget`` another word.
    """

    def __init__(
        self, eps_255: float = 8, step_ratio: float = 0.5, seed: int = 0, pieces: int = 1, budget: str = RANGE
    ) -> None:
        super().__init__(pieces)
        check_eps_255(eps_255)
        check_budget(budget)
        if not 0 < step_ratio <= 2:
            refuse(f"step_ratio (α / ε_b) is {step_ratio}, but a step must move and stay in reach: above 0, up to 2")
        self.eps, self.budget = eps_255 / 255, budget
        self.step_ratio = step_ratio
        self.seed = seed
        # Noise is drawn on the CPU, so that a seed gives the same noise on every device.
        self.generator = torch.Generator().manual_seed(seed + idist.get_rank())

    def budget_of(self, image: Tensor) -> IntensityBudget:
        """What may be done to a batch of images."""
        return IntensityBudget.of(image, self.eps, budget=self.budget)

    def uniform(self, image: Tensor, budget: IntensityBudget) -> Tensor:
        """δ uniform in [−ε_b, ε_b]."""
        unit = torch.rand(image.shape, generator=self.generator, dtype=image.dtype)
        return (2 * unit.to(image.device) - 1) * budget.radius

    @staticmethod
    def replays(engine: SupervisedTrainer) -> int:
        """The backpropagations of each batch, as the schedule says.

        Raises:
            RefusalError: if no schedule is attached to the trainer.
        """
        replays: int | None = getattr(engine.state, "replays", None)
        if replays is None:
            refuse(
                "nothing says how many backpropagations a batch gets: attach FixedSchedule(replays) or "
                "SelfAdaptiveSchedule() to the trainer, for example among its train_handlers"
            )
        return replays

    def state_dict(self) -> dict[str, Any]:
        """Adds the random generators of all processes."""
        state = self.generator.get_state()[None]
        gathered = idist.all_gather(state) if idist.get_world_size() > 1 else state
        return {**super().state_dict(), "generators": gathered}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``; with another number of processes, the new ones keep their own seed."""
        super().load_state_dict(state)
        if idist.get_rank() < len(state["generators"]):
            # A copy: set_state reads a view from the start of its storage, not from its own.
            self.generator.set_state(state["generators"][idist.get_rank()].cpu().clone())


class RandomUpdate(PerturbedUpdate):
    """Training on random noise: one backpropagation at clamp(x + δ), δ uniform in the budget."""

    def train_batch(self, engine: SupervisedTrainer, image: Tensor, label: Tensor) -> None:
        """One backpropagation and one step."""
        budget = self.budget_of(image)
        self.backpropagate(engine, budget.apply(image, self.uniform(image, budget)), label)
        self.step(engine)


class FreeUpdate(PerturbedUpdate):
    """FREE adversarial training (Shafahi et al., NeurIPS 2019), and SEAT where a schedule adapts g.

    The perturbation δ lives across batches. A batch is replayed g times; each replay's single backpropagation at
    clamp(x + δ, lo, hi) gives the weights' gradients and ∇_δ L, then δ ← clip(δ + α·sign ∇_δ L, ±ε_b) and the
    weights take a step (Algorithm 1 of SEAT). g is ``engine.state.replays``, which the schedule sets; g = 1 means
    clean: δ is neither applied nor updated. The gradient is taken at the network's input, not through the clamp,
    where it would vanish for every voxel that already lies at the range's edge.

    Args:
        batch_size: rows of the noise buffer.
    """

    def __init__(
        self,
        batch_size: int,
        eps_255: float = 8,
        step_ratio: float = 0.5,
        seed: int = 0,
        pieces: int = 1,
        budget: str = RANGE,
    ) -> None:
        super().__init__(eps_255, step_ratio, seed, pieces, budget)
        self.noise = NoiseBuffer(batch_size)

    def train_batch(self, engine: SupervisedTrainer, image: Tensor, label: Tensor) -> None:
        """Replay the batch g times."""
        replays = self.replays(engine)
        if replays == 1:
            self.backpropagate(engine, image, label)
            self.step(engine)
            return
        budget = self.budget_of(image)
        noise = self.noise.rows_for(image)
        noise.copy_(budget.clip(noise))
        for replay in range(1, replays + 1):
            gradient = self.backpropagate(engine, budget.apply(image, noise), label, last=replay == replays)
            ascend_noise(noise, gradient, self.step_ratio * budget.radius, budget.radius)
            self.step(engine)

    def state_dict(self) -> dict[str, Any]:
        """Adds the noise of all processes."""
        return {**super().state_dict(), **self.noise.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, with each process's own noise."""
        super().load_state_dict(state)
        self.noise.load_state_dict(state)


class PGDUpdate(PerturbedUpdate):
    """PGD adversarial training (Madry et al., ICLR 2018): attack each batch afresh, then train on the result.

    From a random start, ``engine.state.replays`` − 1 attack steps of α·sign ∇_δ L, and one training step: g
    backpropagations per batch, as in all methods. The attack steps leave the network's buffers alone: what BatchNorm
    normalises by afterwards is the statistics of the images that are trained on.
    """

    def train_batch(self, engine: SupervisedTrainer, image: Tensor, label: Tensor) -> None:
        """Attack, then one training step on the attacked batch."""
        budget, steps = self.budget_of(image), self.replays(engine) - 1
        start, reach = self.radii(steps)
        noise = start * self.uniform(image, budget)
        buffers = Buffers([unwrap(engine.network)])
        for _ in range(steps):
            gradient = self._attack_gradient(engine, budget.apply(image, noise), label)
            ascend_noise(noise, gradient, self.step_ratio * budget.radius, reach * budget.radius)
        buffers.put_back()
        self.backpropagate(engine, budget.apply(image, noise), label)
        self.step(engine)

    def radii(self, steps: int) -> tuple[float, float]:  # noqa: ARG002 - of N-FGSM they depend on it
        """How far the random start may lie from the image, and how far ``steps`` steps may lead, in units of ε_b."""
        return 1, 1

    def _attack_gradient(self, engine: SupervisedTrainer, image: Tensor, label: Tensor) -> Tensor:
        """∇_x L, leaving the weights' gradients alone (and out of what processes exchange)."""
        network = unwrap(engine.network)
        gradients = []
        for image_part, label_part in zip(image.chunk(self.pieces), label.chunk(self.pieces), strict=True):
            inputs = image_part.detach().requires_grad_()
            with self.autocast(engine):
                loss = engine.loss_function(engine.inferer(inputs, network), label_part).mean()
            self._scaled(engine, loss).backward(inputs=[inputs])
            self.statistics.count_backward(len(image_part))
            gradients.append(gradient_of(inputs))
        return torch.cat(gradients)


class NFGSMUpdate(PGDUpdate):
    """N-FGSM (de Jorge et al., NeurIPS 2022): noise of k·ε_b, one step of α·sign ∇ L from there, and nothing clipped.

    The published method has one step (``engine.state.replays`` = 2). As PGD's do, its images stay in their own range
    [lo, hi], but not in the ball of ε_b: with s steps |δ| ≤ k·ε_b + s·α, its own bound. Attacks and evaluations keep
    to ε_b all the same.

    Source: de Jorge et al., "Make Some Noise: Reliable and Efficient Single-Step Adversarial Training", Algorithm 1.

    Args:
        noise_ratio: k.

    Raises:
        RefusalError: if ``noise_ratio`` is not a positive number.
    """

    def __init__(
        self,
        eps_255: float = 8,
        step_ratio: float = 1,
        seed: int = 0,
        pieces: int = 1,
        budget: str = RANGE,
        noise_ratio: float = 2,
    ) -> None:
        super().__init__(eps_255, step_ratio, seed, pieces, budget)
        if not 0 < noise_ratio < math.inf:
            refuse(f"noise_ratio (k) is {noise_ratio}, but noise must have a size: above 0, the paper's is 2")
        self.noise_ratio = noise_ratio

    def radii(self, steps: int) -> tuple[float, float]:
        """k, and k + s·α / ε_b, which no step passes."""
        return self.noise_ratio, self.noise_ratio + steps * self.step_ratio

    def state_dict(self) -> dict[str, Any]:
        """Adds k."""
        return {**super().state_dict(), "noise_ratio": self.noise_ratio}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``; k follows its configuration, and where it was another, that is said."""
        super().load_state_dict(state)
        if (before := state.get("noise_ratio", self.noise_ratio)) != self.noise_ratio:
            logger.warning(
                f"noise_ratio was {before} in the run that is resumed: from here on it is {self.noise_ratio}."
            )
