"""Attacking while evaluating: an ``iteration_update`` that runs a protocol on each case and records the Dice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from monai.inferers import Inferer
from monai.utils.enums import CommonKeys as Keys
from torch import Tensor, nn

from seat_components.attacks.reading import SOFTMAX, Reading
from seat_components.budget import RANGE, check_budget
from seat_components.device import attack_bytes, described, home_of
from seat_components.evaluation.alarms import examined, raise_alarms
from seat_components.evaluation.case import Attacked, Case
from seat_components.evaluation.dice import ABSENT_CLASS_RULE
from seat_components.evaluation.ensemble import Ensemble
from seat_components.evaluation.identity import evaluated, fingerprints, name_of
from seat_components.evaluation.protocols import protocol_of
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.evaluation.scope import SCOPES, check_scope
from seat_components.evaluation.slices import save_slice
from seat_components.records.evaluated import Evaluated
from seat_components.records.robustness import AttackedEvaluation
from seat_components.records.slices import SLICES, file_of
from seat_components.refusals import refuse
from seat_components.scan_files import case_name


class CaseAttack:
    """Evaluate each case clean and under every attack of a protocol.

    ``robustness.json`` and ``.csv`` are written after every attack, and what is there is not run again, so that a
    killed evaluation goes on where it stopped. A case is complete once its attacks, its checks and its slice in
    ``slices/`` are all there. The engine's output is the worst case at the largest
    ε, so that MONAI's metrics and handlers attach to it. Random numbers follow from (seed, case, attack, ε) alone.

    Args:
        output_dir: where the records go.
        about: what is evaluated, on which data.
        structures: names of the structures that are scored.
        protocol: name of the protocol.
        eps_255: budgets, in units of 1/255 of what ``budget`` says, per sample and channel.
        seed: seed of random starts and searches.
        steps: steps of the gradient attacks, and the rest in proportion; None for the protocol's own.
        scope: what the engine's inputs are, ``patch`` or ``volume``; for the record.
        max_cases: attack only the first cases; None for all. More may follow into the same record.
        draws: how often a network that answers differently each time is asked; losses, gradients and Dice are means.
        budget: what ε is a share of, ``range`` or ``contrast``: see ``IntensityBudget.of``.
        least_budget: also look for each case's least budget, at a cost of its own (see ``LeastBudgetSearch``).
        inputs: what is attacked, in words, where the scope's own are not enough.
        outputs: how logits are read, ``softmax`` or ``sigmoid``; see ``Reading``.

    Raises:
        RefusalError: for an unknown protocol, scope or budget, or numbers outside their range.
    """

    def __init__(
        self,
        output_dir: str | Path,
        about: Evaluated,
        structures: Sequence[str],
        protocol: str,
        eps_255: float | Sequence[float],
        seed: int = 0,
        steps: int | None = None,
        scope: str = "patch",
        max_cases: int | None = None,
        draws: int = 1,
        budget: str = RANGE,
        least_budget: bool = False,
        inputs: str = "",
        outputs: str = SOFTMAX,
    ) -> None:
        chosen = protocol_of(protocol, steps, draws)
        check_scope(scope, max_cases)
        check_budget(budget)
        # A record says its outputs only where they are not the usual ones.
        other: dict[str, Any] = {} if outputs == SOFTMAX else {"outputs": outputs}
        header = AttackedEvaluation(
            **about.said(),
            protocol=protocol,
            settings=chosen.settings(),
            seed=seed,
            scope=scope,
            inputs=inputs or SCOPES[scope],
            budget=budget,
            **other,
        )
        self.max_cases = max_cases
        self.slices = Path(output_dir) / SLICES
        self.records = RobustnessRecords(output_dir, header, structures)
        self.ensemble = Ensemble(
            self.records, chosen, eps_255, seed, reading=Reading(outputs), least_budget=least_budget
        )
        self.places: dict[str, int] = {}
        self.files: dict[str, str] = {}

    def remaining(self, cases: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Of the first ``max_cases`` cases of a datalist, those that the record does not hold completely.

        Results of files that have changed since are dropped. If the record holds cases that are not in the datalist,
        as those of another fold, it is kept aside and a new one begins.
        """
        self.files = fingerprints(cases)
        if self.records.drop_stale(self.files) and self.records.cases:
            # On disk as well, as a case beyond max_cases is not run again now.
            self.records.write(raise_alarms(self.records), examined(self.records))
        self._put_slices_aside()
        chosen = cases[: self.max_cases]
        self.places = {name_of(case): place for place, case in enumerate(chosen)}
        return [case for case in chosen if not self._is_complete(name_of(case))]

    def _is_complete(self, case: str) -> bool:
        return self.ensemble.is_complete(case, self.places[case]) and file_of(self.slices, case).is_file()

    def __call__(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> dict[str, Tensor]:
        """Attack one case (batch size 1); returns the engine's output."""
        batch = engine.prepare_batch(batchdata, engine.state.device, engine.non_blocking, **engine.to_kwargs)
        image, label = (part.as_tensor() if isinstance(part, MetaTensor) else part for part in batch[:2])
        if len(image) != 1:
            raise ValueError(f"Attacks take one case at a time, but the batch has {len(image)}: use batch_size 1")
        if engine.amp:
            refuse("amp is True, but attacks follow gradients that 16 bit would round to 0: leave --amp False.")
        if self.records.header.scope == "volume":
            needed = attack_bytes(image.shape, len(self.records.labels) + 1)
            home = home_of(image.shape, needed, image.device)
            image, label = image.to(home), label.to(home)
        name = case_name(_file_of(batchdata["image"]))
        place = self.places.setdefault(name, len(self.places))
        case = Case(name, place, image, label, _voxel_mm3(batchdata["image"]))
        if name in self.files:
            self.records.files[name] = self.files[name]
        self.records.say(**described(engine.state.device, False, engine.network))

        predictor = InferringNetwork(engine.network, engine.inferer).eval()
        radius = self.ensemble.budget(image, self.ensemble.eps_255[-1]).radius

        def draw(clean: Attacked, strongest: Attacked | None) -> None:
            save_slice(self.slices, case, clean, _worse(clean, strongest), radius)

        worst = _worse(*self.ensemble.attack(predictor, case, finish=draw))
        engine.state.output = {Keys.IMAGE: worst.image, Keys.LABEL: label, Keys.PRED: worst.prediction}
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        output: dict[str, Tensor] = engine.state.output
        return output

    def _put_slices_aside(self) -> None:
        """Pictures of cases that the record does not hold are another record's: the report must not show them."""
        recorded = {row.case for row in self.records.cases}
        for file in [file for file in self.slices.glob("*.npz") if file.stem not in recorded]:
            aside = self.slices / "aside" / file.name
            aside.parent.mkdir(exist_ok=True)
            file.replace(aside)

    def report(self) -> str:
        """The summary as lines of text."""
        alarms, checked = raise_alarms(self.records), examined(self.records)
        record = self.records.record()
        lines = [
            f"{row.attack:>22} at {record.eps_in_words(row.eps_255):>8}: Dice {row.mean_dice:.4f} ({row.cases} cases)"
            for row in record.summary
        ]
        if record.median_least:
            lines.append(f"Below half of its clean Dice the median case falls at {record.median_least}.")
        lines += [f"ALARM {alarm['alarm']}: {alarm['message']}" for alarm in alarms]
        silent = [name for name in checked if name not in {alarm["alarm"] for alarm in alarms}]
        if silent:
            lines.append(f"Alarms that stayed silent: {', '.join(silent)}.")
        return "\n".join([*lines, f"{self.records.path} holds every case."])


class AttackUpdate(CaseAttack):
    """``CaseAttack`` for a bundle's weights, as configs name it.

    Args:
        output_dir: where the records go.
        weights: the weights' file, for its hash.
        bundle: the bundle's name.
        label_names: label value → name, background first.
        dataset_dir: the dataset's folder, for what it says about itself.
        val_patch_size: size of the patch or of the sliding window; a record of another one is not gone on with.
        setup_sha256: a hash of the preprocessing and windows; a record of others is not gone on with.

    The others are ``CaseAttack``'s.

    Raises:
        RefusalError: for an unknown protocol, scope or budget, numbers outside their range, missing weights, or an
            invalid dataset.json.
    """

    def __init__(
        self,
        output_dir: str | Path,
        weights: str | Path,
        bundle: str,
        label_names: Mapping[str, str],
        protocol: str = "quick",
        eps_255: float | Sequence[float] = (2, 4, 6, 8, 10),
        seed: int = 0,
        steps: int | None = None,
        scope: str = "patch",
        max_cases: int | None = None,
        dataset_dir: str | Path | None = None,
        val_patch_size: Sequence[int] | None = None,
        draws: int = 1,
        budget: str = RANGE,
        least_budget: bool = False,
        setup_sha256: str = "",
    ) -> None:
        about = evaluated(weights, bundle, dataset_dir, val_patch_size, ABSENT_CLASS_RULE, setup_sha256)
        structures = list(label_names.values())[1:]
        more = steps, scope, max_cases, draws, budget, least_budget
        super().__init__(output_dir, about, structures, protocol, eps_255, seed, *more)


class InferringNetwork(nn.Module):
    """A network behind its inferer, as one predictor whose mode and parameters attacks know."""

    def __init__(self, network: nn.Module, inferer: Inferer) -> None:
        super().__init__()
        self.network, self.inferer = network, inferer

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, K, *spatial) of an image (B, C, *spatial)."""
        logits: Tensor = self.inferer(image, self.network)
        return logits


def _worse(clean: Attacked, strongest: Attacked | None) -> Attacked:
    """The one of lower mean Dice; the clean one where both have the same, or nothing was run."""
    return min((clean, strongest or clean), key=lambda result: result.mean_dice)


def _file_of(image: MetaTensor) -> str:
    """The file a collated batch of one image came from."""
    name = image.meta["filename_or_obj"]
    return str(name if isinstance(name, str | Path) else name[0])


def _voxel_mm3(image: MetaTensor) -> float:
    """A voxel's volume in a collated batch of one image."""
    affine = torch.as_tensor(image.meta["affine"])
    affine = affine[0] if affine.ndim == 3 else affine
    return float(affine_to_spacing(affine, r=image.ndim - 2).double().prod())
