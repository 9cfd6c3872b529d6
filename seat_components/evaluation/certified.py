"""Certifying while evaluating: an ``iteration_update`` that smooths the network and records what it guarantees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from monai.networks.utils import eval_mode, one_hot
from monai.utils.enums import CommonKeys as Keys
from torch import Tensor
from tqdm import tqdm

from seat_components.attacks.reading import not_finite
from seat_components.evaluation.case_by_case import CaseByCase
from seat_components.evaluation.dice import ABSENT_CLASS_RULE, dice_of_structures, dice_per_class
from seat_components.evaluation.identity import evaluated
from seat_components.evaluation.scope import SCOPES, check_scope
from seat_components.records.certificate import (
    FILE,
    Certificate,
    CertifiedCase,
    CertifiedEvaluation,
    means_certified,
)
from seat_components.records.evaluated import SETUP
from seat_components.refusals import refuse
from seat_components.smoothing import Smoothed, Smoothing, largest_radius, smoothed

_GUARANTEED = "guaranteed"
"""Beside ``pred`` in the engine's output: 1 where the answer is guaranteed over the first range, else 0."""

_RULE = (
    "An abstained voxel counts as wrong for every class: as missed where its label is the class, as wrongly found "
    "where it is not. So no transformation in the range gives the smoothed network a lower Dice in any class."
)
_IDENTITY = (
    *("bundle", "weights_sha256", "seed", "scope", "sigmas", "radii", "selection_draws", "draws", "confidence"),
    *("data", "val_patch_size", SETUP),
)


class CertificateUpdate(CaseByCase[Certificate, CertifiedEvaluation, CertifiedCase]):
    """Ask the network about each case under many random transformations, and record what follows.

    Handler and ``iteration_update`` of an evaluator whose samples hold ``case`` and ``transformation``, as ``runs``
    lists them, and whose image is ``smoothing.before`` of the scan. The engine's output holds the smoothed network's
    classes under ``pred``, and ``guaranteed``, 1 where they are certain over the first of the radii. A result that the
    record holds is not computed again.

    Args:
        output_dir: where the record goes.
        weights: the weights' file, for its hash.
        bundle: the bundle's name.
        label_names: label value → name, background first.
        smoothing: the transformations.
        radii: how far the transformation's parameter may go, in units of its sigma; a list of positive numbers.
        selection_draws: so many answers choose the class of each voxel.
        draws: so many further answers confirm it.
        confidence: that all voxels of a case that are guaranteed under one transformation are so rightly.
        scope: what is predicted, ``patch`` or ``volume``; for the record.
        max_cases: certify only the first cases; None for all. More may follow into the same record.
        dataset_dir: the dataset's folder, for what it says about itself.
        val_patch_size: size of the patch or of the sliding window; a record of another one is not gone on with.
        setup_sha256: a hash of the preprocessing and windows; a record of others is not gone on with.

    Raises:
        RefusalError: for an unknown scope, numbers outside their range, missing weights, a file in the record's place
            that is none, or an invalid dataset.json.
    """

    def __init__(
        self,
        output_dir: str | Path,
        weights: str | Path,
        bundle: str,
        label_names: Mapping[str, str],
        smoothing: Smoothing,
        radii: float | Sequence[float] = (0.25, 0.5, 0.75),
        selection_draws: int = 10,
        draws: int = 100,
        confidence: float = 0.999,
        scope: str = "patch",
        max_cases: int | None = None,
        dataset_dir: str | Path | None = None,
        val_patch_size: Sequence[int] | None = None,
        setup_sha256: str = "",
    ) -> None:
        check_scope(scope, max_cases)
        shares = sorted({float(radius) for radius in ([radii] if isinstance(radii, int | float) else radii)})
        if not shares or not 0 < shares[0] <= shares[-1] < float("inf"):
            refuse(f"radii is {radii!r}, but it must be positive numbers: shares of a transformation's sigma")
        for name, value in (("selection_draws", selection_draws), ("confirmation_draws", draws)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000:
                refuse(f"{name} is {value!r}, but it must be a whole number, 1 to 10000")
        if not 0 < confidence < 1:
            refuse(f"confidence is {confidence!r}, but it must be above 0 and below 1, such as 0.999")
        self.smoothing = smoothing
        header = CertifiedEvaluation(
            **evaluated(weights, bundle, dataset_dir, val_patch_size, ABSENT_CLASS_RULE, setup_sha256).said(),
            seed=smoothing.seed,
            scope=scope,
            inputs=SCOPES[scope],
            sigmas=smoothing.sigmas,
            radii=tuple(shares),
            selection_draws=selection_draws,
            draws=draws,
            confidence=confidence,
            certified_rule=_RULE,
        )
        super().__init__(
            Path(output_dir) / FILE,
            header,
            _IDENTITY,
            Certificate,
            CertifiedCase,
            list(label_names.values())[1:],
            ("transformation",),
            [(name,) for name in smoothing.sigmas],
            max_cases,
        )
        self._found: list[CertifiedCase] = []

    def __call__(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> dict[str, Tensor]:
        """Certify one case (batch size 1) under one transformation; returns the engine's output.

        Raises:
            RefusalError: if an answer is not finite, or no number of agreeing draws could guarantee a radius.
        """
        image, label = engine.prepare_batch(batchdata, engine.state.device, engine.non_blocking, **engine.to_kwargs)
        if len(image) != 1:
            raise ValueError(f"CertificateUpdate takes one case at a time, but the batch has {len(image)}")
        (case,), (transformation,) = batchdata["case"], batchdata["transformation"]
        self._check_radii(image[0, 0].numel())
        found = self._smoothed(engine, _plain(image), case, transformation)
        true = _plain(label).long().cpu()
        self._found = self._rows(case, transformation, found, true)
        engine.state.output = {
            Keys.IMAGE: image,
            Keys.LABEL: label,
            Keys.PRED: found.classes[None, None],
            _GUARANTEED: (found.radius >= self.header.radii[0]).long()[None, None],
        }
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        output: dict[str, Tensor] = engine.state.output
        return output

    def _check_radii(self, voxels: int) -> None:
        most = largest_radius(voxels, self.header.draws, self.header.confidence)
        if most < self.header.radii[-1]:
            refuse(
                f"radii has {self.header.radii[-1]:g}, but {self.header.draws} draws that all agree guarantee no more "
                f"than {most:.3f} sigma with {voxels} voxels: take more --confirmation_draws, or smaller --radii"
            )

    def _smoothed(self, engine: SupervisedEvaluator, image: Tensor, case: str, transformation: str) -> Smoothed:
        said = self.header
        inputs = self.smoothing.draws(image, transformation, case)
        count = said.selection_draws + said.draws
        with (
            tqdm(total=count, desc=f"{case}, {transformation}", disable=None, leave=False) as bar,
            eval_mode(engine.network),
            torch.autocast(engine.state.device.type, enabled=bool(engine.amp)),
        ):

            def answers() -> Iterator[Tensor]:
                for drawn in inputs:
                    logits = engine.inferer(drawn, engine.network)
                    if bool(not_finite(logits).any()):
                        refuse(
                            f"{case}: under {transformation} what the network gives is not finite (NaN or infinity), "
                            "so that no class follows. Try --amp False; if that does not help, train the network anew."
                        )
                    bar.update()
                    yield logits.argmax(dim=1)[0]

            classes = len(self.labels) + 1
            return smoothed(answers(), classes, said.selection_draws, said.draws, said.confidence)

    def _rows(self, case: str, transformation: str, found: Smoothed, label: Tensor) -> list[CertifiedCase]:
        prediction = found.classes[None, None]
        dice = dice_per_class(prediction, label, len(self.labels) + 1)[0].tolist()
        rows = []
        for share in self.header.radii:
            certain = found.radius[None, None] >= share
            worst = certified_dice(prediction, certain, label, len(self.labels) + 1)[0].tolist()
            rows.append(
                CertifiedCase(
                    case=case,
                    transformation=transformation,
                    radius=share * self.smoothing.sigmas[transformation],
                    dice=dict(zip(self.labels, dice, strict=True)),
                    certified_dice=dict(zip(self.labels, worst, strict=True)),
                    abstained=1 - float(certain.double().mean()),
                )
            )
        return rows

    def take(self, engine: SupervisedEvaluator) -> None:  # noqa: ARG002 - computed by the update already
        """Add the rows of the last case."""
        self.rows += self._found

    def record(self) -> Certificate:
        """The whole record."""
        cases = dict.fromkeys(row.case for row in self.rows)
        return Certificate(
            **self.header.said(),
            summary=tuple(means_certified(self.rows, self.labels)),
            cases=tuple(self.rows),
            files={case: self.files[case] for case in cases if case in self.files},
        )

    def report(self) -> str:
        """The summary as lines of text."""
        lines = [
            f"{row.transformation}, {row.range}: certified Dice {row.mean_certified_dice:.4f}, smoothed Dice "
            f"{row.mean_dice:.4f}, {row.abstained:.2%} of the voxels abstained ({row.cases:g} cases)"
            for row in self.record().summary
        ]
        return "\n".join([*lines, f"{self.path} holds every case."])


def certified_dice(prediction: Tensor, certain: Tensor, label: Tensor, classes: int) -> Tensor:
    """The Dice (1, K − 1) below which no answer falls that agrees with ``prediction`` wherever it is certain.

    Args:
        prediction: class indices (1, 1, *spatial), int64.
        certain: bool, of the same shape.
        label: true class indices, of the same shape, int64.
        classes: K.
    """
    found, true = (one_hot(volume, classes)[:, 1:] for volume in (prediction, label))
    return dice_of_structures(torch.where(certain, found, 1 - true), true)


def _plain(volume: Tensor) -> Tensor:
    return volume.as_tensor() if isinstance(volume, MetaTensor) else volume
