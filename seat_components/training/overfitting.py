"""Catastrophic overfitting is looked for: a short attack on a training batch at each validation, and a warning."""

from __future__ import annotations

import logging
import zlib
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.metrics import compute_dice
from torch import Tensor

from seat_components.attacks import pgd
from seat_components.attacks.predictor import PredictorWrapper, ask, evaluating
from seat_components.networks.pretrained import unwrap
from seat_components.training.handlers import is_validated
from seat_components.training.methods import PerturbedUpdate
from seat_components.training.update import join

logger = logging.getLogger(__name__)

_STEPS, _STEP_RATIO = 5, 0.25
"""Steps, and α / ε_b: as its finders look for it, with five steps of 2/255 at ε = 8/255. Such a step is half of the
training's own, so that what holds against that one alone is seen."""
_FALLEN = 0.5
"""Below this share of the best so far, Dice counts as fallen: one batch alone varies too much for less."""
_LEAST = 0.1
"""A best Dice below this is too little to fall from."""


class OverfittingProbe:
    """Attack the epoch's last training batch at each validation, and warn where the Dice that is left collapses.

    Training that attacks with few steps may come to be right under its own noise alone, from one epoch to the next:
    clean Dice stays, and five steps of PGD take all. So the best Dice so far under the attack is kept, and that of the
    same batches as they are. Where the first falls below half of its best (of 0.1 or more) and the second does not, a
    warning says so, once until the first is back.

    The attack is PGD on cross-entropy of 5 steps of ε_b / 4, at the training's ε; its best iterate counts. A look takes
    8 forward and 5 backward passes of one batch, in the update's pieces and precision, which are no backpropagations of
    the training. It leaves the network as found, modes, buffers and gradients included, and every random state too, as
    its numbers follow from (seed, epoch, process) alone. Of several processes the mean counts.

    ``engine.state.overfit_dice`` is the Dice left, None in an epoch that is not validated or that trains clean (g = 1).

    Args:
        update: the training method, which gives ε and the batch.
        interval: epochs between two validations.

    Source: Wong, Rice & Kolter, ICLR 2020, who found it and look for it so; Andriushchenko & Flammarion, NeurIPS 2020,
    who show that FREE training meets it as well.
    """

    def __init__(self, update: PerturbedUpdate, interval: int) -> None:
        self.update, self.interval = update, interval
        self.best, self.best_clean = 0.0, 0.0
        self.collapsed = False
        self._impossible = False

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, before its schedule."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._look)

    def _look(self, engine: SupervisedTrainer) -> None:
        engine.state.overfit_dice = None
        attacks = self.update.eps > 0 and self.update.replays(engine) > 1 and not self._impossible
        if not (attacks and is_validated(engine, self.interval)):
            return
        measured = self._measure(engine)
        if idist.get_world_size() > 1:
            measured = idist.all_reduce(measured) / idist.get_world_size()
        attacked, clean = measured.tolist()
        # Decided by what all processes share: one that looked no more would leave the others waiting for it.
        self._impossible = not bool(measured.isfinite().all())
        if not self._impossible:
            engine.state.overfit_dice = attacked
            self.judge(engine.state.epoch, attacked, clean)

    def _measure(self, engine: SupervisedTrainer) -> Tensor:
        """Mean Dice of the last batch, attacked and as it is, (2,); NaN where it cannot be attacked."""
        if self.update.last_batch is None:
            return torch.full((2,), torch.nan)
        image, label = self.update.last_batch
        label = label.long()  # augmentation gives floats
        predictor = _Inferring(engine, self.update)
        words = f"{self.update.seed}/{engine.state.epoch}/{idist.get_rank()}"
        generator = torch.Generator().manual_seed(zlib.crc32(words.encode()))
        devices = [image.device] if image.device.type == "cuda" else []
        dice = []
        # What is random in the network itself draws from the run's generators.
        with torch.random.fork_rng(devices), evaluating(predictor):
            try:
                for some, own in zip(image.chunk(self.update.pieces), label.chunk(self.update.pieces), strict=True):
                    attacked = pgd(
                        predictor,
                        some,
                        own,
                        eps=self.update.eps,
                        budget=self.update.budget,
                        steps=_STEPS,
                        step_ratio=_STEP_RATIO,
                        generator=generator,
                    )
                    dice.append(torch.stack([_dice(predictor, seen, own) for seen in (attacked, some)], dim=1))
            except ValueError as error:
                # Training may be of another kind than attacks know, such as with labels that overlap.
                logger.warning(f"Catastrophic overfitting is not looked for, as a batch cannot be attacked: {error}")
                return torch.full((2,), torch.nan)
        return join(dice).mean(dim=0).cpu()

    def judge(self, epoch: int, attacked: float, clean: float) -> None:
        """Take the mean Dice of a batch under attack and as it is; warn where a collapse begins."""
        fallen = self.best >= _LEAST and attacked < _FALLEN * self.best
        if fallen and not self.collapsed and clean >= _FALLEN * self.best_clean:
            self.collapsed = True
            if idist.get_rank() == 0:
                logger.warning(
                    f"Catastrophic overfitting in epoch {epoch}: of a training batch an attack of {_STEPS} steps "
                    f"leaves Dice {attacked:.3f}, less than half of the {self.best:.3f} that it left before, while "
                    f"without attack Dice is {clean:.3f}. The network holds against the training's own noise alone, "
                    "and what follows is not robust. Keep the weights that are best under attack "
                    "(configs/select_robust.json), and train with more backpropagations per batch (SEAT: "
                    "--schedule#g_min 3, FREE: --replays, PGD: --attack_steps) or a smaller --step_ratio."
                )
        if not fallen:
            self.collapsed = False
        self.best, self.best_clean = max(self.best, attacked), max(self.best_clean, clean)

    def state_dict(self) -> dict[str, Any]:
        """The best so far, whether it is below now, and what the attack was."""
        kept = {"best": self.best, "best_clean": self.best_clean, "collapsed": self.collapsed}
        return {**kept, "eps": self.update.eps, "budget": self.update.budget}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``; what another attack left is no best to fall from."""
        own = self.update.eps, self.update.budget
        if (state.get("eps", own[0]), state.get("budget", own[1])) != own:
            return
        self.best, self.best_clean = float(state["best"]), float(state["best_clean"])
        self.collapsed = bool(state["collapsed"])


class _Inferring(PredictorWrapper):
    """The network as it is trained: past what joins processes, behind the engine's inferer, in AMP's precision."""

    def __init__(self, engine: SupervisedTrainer, update: PerturbedUpdate) -> None:
        super().__init__(unwrap(engine.network))
        self.engine, self.update = engine, update

    def __call__(self, image: Tensor) -> Tensor:
        with self.update.autocast(self.engine):
            logits: Tensor = self.engine.inferer(image, self.predictor)
        return logits


def _dice(predictor: _Inferring, image: Tensor, label: Tensor) -> Tensor:
    """Mean Dice over the foreground classes of each sample, (B,), by the rule that all Dice here follows."""
    with torch.no_grad():
        logits = ask(predictor, image)
    prediction = logits.argmax(dim=1, keepdim=True)
    dice = compute_dice(prediction, label, include_background=False, ignore_empty=False, num_classes=logits.shape[1])
    return torch.as_tensor(dice).double().mean(dim=1)
