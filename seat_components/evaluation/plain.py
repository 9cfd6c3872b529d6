"""Robustness of any segmentation network, without a bundle: cases in, a record out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from seat_components.attacks import Predictor
from seat_components.attacks.inputs import plain
from seat_components.attacks.predictor import PredictorWrapper, evaluating
from seat_components.attacks.reading import Reading
from seat_components.budget import RANGE, check_budget
from seat_components.device import described
from seat_components.evaluation.alarms import examined, raise_alarms
from seat_components.evaluation.case import Case
from seat_components.evaluation.dice import ABSENT_CLASS_RULE
from seat_components.evaluation.ensemble import Ensemble
from seat_components.evaluation.identity import versions
from seat_components.evaluation.protocols import protocol_of
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.robustness import AttackedEvaluation


def robustness_of(
    predictor: Predictor,
    cases: Iterable[tuple[str, Tensor, Tensor]],
    *,
    labels: Sequence[str],
    eps_255: float | Sequence[float] = 8,
    protocol: str = "strong",
    steps: int | None = None,
    seed: int = 0,
    bounds: tuple[float, float] | None = None,
    voxel_mm3: float = 1.0,
    outputs: str = "softmax",
    ignore_index: int | None = None,
    draws: int = 1,
    output_key: int | str | None = None,
    progress: bool = True,
    budget: str = RANGE,
    least_budget: bool = False,
) -> dict[str, Any]:
    """Run a protocol on a network, and return what ``robustness.json`` would hold.

    Args:
        predictor: image (1, C, *spatial) → logits (1, K, *spatial); an ``nn.Module`` runs in evaluation mode and is
            left as found. So are the buffers of a network behind another callable.
        cases: (name, float image (1, C, *spatial), integer label (1, 1, *spatial)), one after the other.
        labels: names of the classes, background first, K of them; with sigmoids the names of the K structures.
        eps_255: budgets, in units of 1/255 of what ``budget`` says.
        protocol: a name of ``PROTOCOLS``; ``black-box`` for a network without gradients.
        steps: steps of the gradient attacks, and the rest in proportion; None for the protocol's own.
        seed: seed of random starts and searches.
        bounds: (lo, hi) for inputs of a fixed range; None for each sample's and channel's own.
        voxel_mm3: a voxel's volume, by which sizes are stated in ml.
        outputs: ``softmax``, or ``sigmoid`` for structures that may overlap, or a single one; the labels are then
            (1, K, *spatial) of 0 and 1.
        ignore_index: label value of voxels that count neither in losses nor in Dice.
        draws: how often a network that answers differently each time is asked; the numbers are means.
        output_key: where the predictor returns a tuple, list or dict, which part of it are the logits.
        progress: show a bar per case where the standard error is a terminal.
        budget: what ε is a share of, ``range`` or ``contrast``: see ``IntensityBudget.of``.
        least_budget: also look for each case's least budget (see ``LeastBudgetSearch``).

    Raises:
        RefusalError: for an unknown protocol or budget, or numbers outside their range.
        ValueError: if an image, label or answer of the predictor breaks an attack's rule, a name is given twice, or
            the logits have another number of classes than ``labels`` names.
    """
    check_budget(budget)
    if len(set(labels)) < len(labels):
        raise ValueError(f"labels is {list(labels)}, but each class has a name of its own")
    if not (math.isfinite(voxel_mm3) and voxel_mm3 > 0):
        raise ValueError(f"voxel_mm3 is {voxel_mm3}, but a voxel has a volume above 0")
    reading = Reading(outputs, ignore_index)
    structures = labels if outputs == "sigmoid" else labels[1:]
    chosen = protocol_of(protocol, steps, draws)
    header = AttackedEvaluation(
        protocol=protocol,
        settings=chosen.settings(),
        seed=seed,
        versions=versions(),
        rule=ABSENT_CLASS_RULE,
        bounds=bounds,
        budget=budget,
        outputs=outputs,
        ignore_index=ignore_index,
    )
    records = RobustnessRecords(None, header, structures)
    ensemble = Ensemble(records, chosen, eps_255, seed, bounds, reading, progress, least_budget)
    logits = LogitsOf(predictor, output_key)
    with evaluating(logits):
        for place, (name, image, label) in enumerate(cases):
            if not isinstance(name, str) or not name:
                raise ValueError(f"The name of case {place + 1} is {name!r}, but it must be a text")
            if any(row.case == name for row in records.cases):
                raise ValueError(f"There are two cases of the name {name!r}, but each has its own")
            for what, given in (("image", image), ("label", label)):
                if not isinstance(given, Tensor):
                    raise ValueError(f"{name}: the {what} is a {type(given).__name__}: pass torch.as_tensor({what})")
            records.say(**described(image.device))
            ensemble.attack(logits, Case(name, place, plain(image), plain(label), voxel_mm3))
    return records.content(raise_alarms(records), examined(records))


class LogitsOf(PredictorWrapper):
    """A predictor whose answer is a tensor of logits, or holds one.

    Args:
        predictor: image → logits, or a tuple, list or dict of them.
        key: which of them; None where the answer is a tensor.
    """

    def __init__(self, predictor: Predictor, key: int | str | None) -> None:
        super().__init__(predictor)
        self.key = key

    def __call__(self, image: Tensor) -> Tensor:
        """The logits, (B, K, *spatial).

        Raises:
            ValueError: if the answer has no such part.
        """
        answer: Any = super().__call__(image)
        if isinstance(answer, Tensor):
            return answer
        if not isinstance(answer, Mapping | tuple | list):
            raise ValueError(f"predictor returned {type(answer).__name__}, but it must return a tensor of logits")
        keys = list(answer) if isinstance(answer, Mapping) else list(range(len(answer)))
        if self.key not in keys:
            parts = answer.items() if isinstance(answer, Mapping) else enumerate(answer)
            shapes = ", ".join(f"{key!r} {tuple(getattr(part, 'shape', ()))}" for key, part in parts)
            raise ValueError(
                f"predictor returned a {type(answer).__name__} of {shapes}: name the part that holds the logits, "
                f"such as output_key={keys[0]!r}"
                if keys
                else f"predictor returned an empty {type(answer).__name__}, but it must return logits"
            )
        part: Tensor = answer[self.key]  # type: ignore[index]
        return part
