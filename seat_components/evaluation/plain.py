"""Robustness of any segmentation network, without a bundle: cases in, a record out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from seat_components.attacks import Predictor
from seat_components.attacks.predictor import evaluating
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
) -> dict[str, Any]:
    """Run a protocol on a network, and return what ``robustness.json`` would hold.

    Args:
        predictor: image (1, C, *spatial) → logits (1, K, *spatial); an ``nn.Module`` runs in evaluation mode and is
            left as found.
        cases: (name, float image (1, C, *spatial), integer label (1, 1, *spatial)), one after the other.
        labels: names of the classes, background first, K of them.
        eps_255: budgets, in units of 1/255 of the intensity range.
        protocol: ``quick``, ``paper`` or ``strong``.
        steps: steps of the gradient attacks, and the rest in proportion; None for the protocol's own.
        seed: seed of random starts and searches.
        bounds: (lo, hi) for inputs of a fixed range; None for each sample's and channel's own.
        voxel_mm3: a voxel's volume, by which sizes are stated in ml.

    Raises:
        RefusalError: for an unknown protocol, or numbers outside their range.
        ValueError: if an image, label or answer of the predictor breaks an attack's rule, a name is given twice, or
            the logits have another number of classes than ``labels`` names.
    """
    chosen = protocol_of(protocol, steps, len(labels))
    header = AttackedEvaluation(
        protocol=protocol,
        settings=chosen.settings(),
        seed=seed,
        versions=versions(),
        rule=ABSENT_CLASS_RULE,
        bounds=bounds,
    )
    records = RobustnessRecords(None, header, labels[1:])
    ensemble = Ensemble(records, chosen, eps_255, seed, bounds)
    with evaluating(predictor):
        for place, (name, image, label) in enumerate(cases):
            if any(row.case == name for row in records.cases):
                raise ValueError(f"There are two cases of the name {name!r}, but each has its own")
            records.say(device=str(image.device))
            ensemble.attack(predictor, Case(name, place, image, label, voxel_mm3))
    return records.content(raise_alarms(records), examined(records))
