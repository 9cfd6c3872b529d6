"""Attacking while evaluating: an ``iteration_update`` that runs a protocol on each case and records the Dice."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys as Keys
from torch import Tensor

from seat_components.attacks import ATTACKS, CountingPredictor
from seat_components.budget import IntensityBudget
from seat_components.data.index import case_name
from seat_components.evaluation.alarms import raise_alarms
from seat_components.evaluation.dice import ABSENT_CLASS_RULE, dice_per_class
from seat_components.evaluation.identity import sha256, versions
from seat_components.evaluation.protocols import AttackSetting, protocol_settings
from seat_components.evaluation.robustness import RobustnessRecords, mean_dice
from seat_components.evaluation.slices import save_slices
from seat_components.refusals import refuse

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attacked:
    """A case under one attack."""

    attack: str
    eps_255: float
    image: Tensor
    prediction: Tensor
    dice: Tensor


class AttackUpdate:
    """Evaluate each case clean and under every attack of a protocol.

    ``robustness.json`` and ``.csv`` are written after every case, and a case that is complete there is not attacked
    again, so that a killed evaluation goes on where it stopped. The engine's output is the worst case at the largest
    ε, so that MONAI's metrics and handlers attach to it. Random numbers follow from (seed, case, attack, ε) alone.

    Args:
        output_dir: where the records go.
        weights: the weights' file, for its hash.
        bundle: the bundle's name.
        label_names: label value → name, background first.
        protocol: name of the protocol.
        eps_255: budgets, in units of 1/255 of the intensity range per sample and channel.
        seed: seed of random starts and searches.

    Raises:
        RefusalError: for an unknown protocol, budgets outside (0, 255], or missing weights.
    """

    def __init__(
        self,
        output_dir: str | Path,
        weights: str | Path,
        bundle: str,
        label_names: Mapping[str, str],
        protocol: str = "quick",
        eps_255: Sequence[float] = (2, 4, 6, 8, 10),
        seed: int = 0,
    ) -> None:
        self.settings = protocol_settings(protocol)
        self.eps_255 = [eps_255] if isinstance(eps_255, int | float) else sorted(eps_255)
        if not self.eps_255 or not all(0 < eps <= 255 for eps in self.eps_255):
            refuse(f"attack_eps_255 is {eps_255}, but it lists shares of the intensity range: each above 0, up to 255")
        self.seed = seed
        self.classes = len(label_names)
        header = {
            "bundle": bundle,
            "weights_sha256": sha256(weights),
            "protocol": protocol,
            "settings": {setting.attack: dict(setting.options) for setting in self.settings},
            "seed": seed,
            "versions": versions(),
            "rule": ABSENT_CLASS_RULE,
            "device": "cpu",
        }
        self.records = RobustnessRecords(output_dir, header, list(label_names.values())[1:])

    def remaining(self, cases: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
        """The cases of a datalist that the record does not hold completely."""
        wanted = [("clean", 0.0), *((s.attack, eps) for eps in self.eps_255 for s in self.settings)]
        return [
            case
            for case in cases
            if not all(self.records.has(case_name(case["image"]), attack, eps) for attack, eps in wanted)
        ]

    def __call__(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> dict[str, Tensor]:
        """Attack one case (batch size 1); returns the engine's output."""
        batch = engine.prepare_batch(batchdata, engine.state.device, engine.non_blocking, **engine.to_kwargs)
        image, label = (part.as_tensor() if isinstance(part, MetaTensor) else part for part in batch[:2])
        if len(image) != 1:
            raise ValueError(f"AttackUpdate takes one case at a time, but the batch has {len(image)}: use batch_size 1")
        case = case_name(_file_of(batchdata["image"]))
        self.records.header["device"] = str(image.device)

        def forward(inputs: Tensor) -> Tensor:
            logits: Tensor = engine.inferer(inputs, engine.network)
            return logits

        engine.network.eval()
        clean = self._score(forward, case, AttackSetting("clean"), 0.0, image, image, label)
        attacked = [
            self._attack(forward, case, setting, eps_255, image, label)
            for eps_255 in self.eps_255
            for setting in self.settings
            if not self.records.has(case, setting.attack, eps_255)
        ]
        strongest = [result for result in attacked if result.eps_255 == self.eps_255[-1]]
        worst = min([clean, *strongest], key=lambda result: float(result.dice.mean()))
        self.records.write(raise_alarms(self.records))
        if strongest:
            radius = IntensityBudget.of(image, self.eps_255[-1] / 255).radius
            save_slices(self.records.path.parent / "slices" / f"{case}.npz", image, label, clean, worst, radius)
        engine.state.output = {Keys.IMAGE: worst.image, Keys.LABEL: label, Keys.PRED: worst.prediction}
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        output: dict[str, Tensor] = engine.state.output
        return output

    def report(self) -> str:
        """The summary as lines of text."""
        content = self.records.content(raise_alarms(self.records))
        lines = [
            f"{row['attack']:>20} at {row['eps_255']:>4g}/255: Dice {row['mean_dice']:.4f}"
            for row in content["summary"]
        ]
        alarms = [f"ALARM {alarm['alarm']}: {alarm['message']}" for alarm in content["alarms"]]
        return "\n".join([*lines, *alarms, f"{self.records.path} holds every case."])

    def _attack(
        self,
        forward: Callable[[Tensor], Tensor],
        case: str,
        setting: AttackSetting,
        eps_255: float,
        image: Tensor,
        label: Tensor,
    ) -> Attacked:
        predictor = CountingPredictor(forward)
        words = f"{self.seed}/{case}/{setting.attack}/{eps_255:g}"
        generator = torch.Generator().manual_seed(zlib.crc32(words.encode()))
        start = time.monotonic()
        adversarial = ATTACKS[setting.attack](
            predictor, image, label, eps=eps_255 / 255, generator=generator, **setting.options
        )
        seconds = time.monotonic() - start
        self.records.add_cost(setting.attack, predictor.forwards, predictor.backwards, seconds)
        return self._score(forward, case, setting, eps_255, adversarial, image, label)

    def _score(
        self,
        forward: Callable[[Tensor], Tensor],
        case: str,
        setting: AttackSetting,
        eps_255: float,
        adversarial: Tensor,
        image: Tensor,
        label: Tensor,
    ) -> Attacked:
        budget = IntensityBudget.of(image, eps_255 / 255)
        if not budget.holds(adversarial, image):
            raise AssertionError(f"{setting.attack} left its budget of {eps_255:g}/255 on {case}: this is a defect")
        with torch.no_grad():
            prediction = forward(adversarial).argmax(dim=1, keepdim=True)
        dice = dice_per_class(prediction, label, self.classes)
        if not self.records.has(case, setting.attack, eps_255):
            over = budget.linf_over_budget(adversarial, image)
            self.records.add(case, setting.attack, eps_255, dice[0].tolist(), over)
            logger.info(f"{case}: {setting.attack} at {eps_255:g}/255: Dice {mean_dice(self.records.cases[-1]):.4f}")
        return Attacked(setting.attack, eps_255, adversarial, prediction, dice)


def _file_of(image: MetaTensor) -> str:
    """The file a collated batch of one image came from."""
    name = image.meta["filename_or_obj"]
    return str(name if isinstance(name, str | Path) else name[0])
