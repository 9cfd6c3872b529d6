"""``volumes.json``: what an inference found in each scan, with what; and the lines that it ends with."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events

from seat_components.bundles.results import method_of
from seat_components.data.earlier_masks import VOLUMES, earlier_masks
from seat_components.data.geometry import edge_lengths
from seat_components.data.notices import notices
from seat_components.data.scans import scan_name
from seat_components.data.search import shortened
from seat_components.device import described
from seat_components.evaluation.identity import sha256
from seat_components.files import write_text_atomically
from seat_components.records.computed import ComputedRecord
from seat_components.weights.untrained import is_untrained


class VolumesRecord:
    """Record voxels and ml of each label per scan, and say at the end what was done.

    A handler of an evaluator whose output holds ``pred``, a mask (1, X, Y, Z) as MetaTensor in the scan's grid. The
    record is written scan by scan. What earlier runs wrote into the same folder stays in it, as long as its masks do.

    Args:
        output_dir: where the masks go.
        dataset_dir: where the scans come from; they are named by their place in it.
        weights: the weights' file.
        device: what the network runs on.
        label_names: label value → name, background first.
        scans: the datalist, which may know what was left out.

    Raises:
        RefusalError: when it starts, if there are no weights.
    """

    def __init__(
        self,
        output_dir: str | Path,
        dataset_dir: str | Path,
        weights: str | Path,
        device: Any,
        label_names: Mapping[str, str],
        scans: Sequence[Any] = (),
    ) -> None:
        self.output_dir = Path(output_dir).absolute()
        self.dataset_dir = dataset_dir
        self.labels = {int(value): name for value, name in label_names.items() if int(value) > 0}
        # Named when the run starts: a config can be built, and its parts looked at, without weights.
        self.weights: dict[str, str | None] = {"file": str(Path(weights).absolute())}
        self.device = torch.device(device)
        self.computed = ComputedRecord(**described(self.device))
        self.left_out: list[str] = list(getattr(scans, "left_out", ()))
        self.cases: list[dict[str, Any]] = []
        self.earlier: dict[str, dict[str, Any]] = {}
        self.started = time.monotonic()

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._record)
        engine.add_event_handler(Events.COMPLETED, lambda _: print(self.summary()))

    def _start(self, engine: Engine) -> None:
        self.cases, self.started = [], time.monotonic()
        self.earlier = earlier_masks(self.output_dir)
        self.computed = ComputedRecord(**described(self.device, bool(engine.amp), engine.network))
        file = Path(str(self.weights["file"]))
        digest = sha256(file)
        self.weights |= {"sha256": digest, "method": "untrained" if is_untrained(file) else method_of(digest)}

    def _record(self, engine: Engine) -> None:
        for output in engine.state.output:
            mask = output["pred"]
            case = self._case(mask, str(mask.meta["filename_or_obj"]))
            if "probabilities" in output:
                case["probabilities"] = f"{case['case']}_probabilities.nii"
            self.cases.append(case)
        write_text_atomically(
            json.dumps(self.content(), indent=1, ensure_ascii=False) + "\n", self.output_dir / VOLUMES
        )

    def _case(self, mask: Any, scan: str) -> dict[str, Any]:
        affine = np.asarray(mask.affine, dtype=np.float64)
        voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
        plain = torch.as_tensor(mask)
        voxels = {name: int((plain == value).sum()) for value, name in self.labels.items()}
        name = scan_name(scan, self.dataset_dir)
        return {
            "case": name,
            # Absolute, as a later run, begun elsewhere, tells by it whether this mask may be written anew.
            "scan": str(Path(scan).absolute()),
            "mask": f"{name}.nii.gz",
            "spacing_mm": [round(float(edge), 6) for edge in edge_lengths(affine)],
            "labels": {label: {"voxels": count, "ml": round(count * voxel_ml, 6)} for label, count in voxels.items()},
            "warnings": notices(scan),
        }

    def _kept(self) -> list[dict[str, Any]]:
        """The cases of earlier runs; those of other weights say so."""
        done = {case["mask"] for case in self.cases}
        kept = [case for mask, case in self.earlier.items() if mask not in done]
        return [
            {name: value for name, value in case.items() if (name, value) != ("weights", self.weights)} for case in kept
        ]

    def content(self) -> dict[str, Any]:
        """The whole record."""
        return {
            "weights": self.weights,
            **self.computed.as_json(),
            "seconds": round(time.monotonic() - self.started, 3),
            "cases": [*self._kept(), *self.cases],
            "left_out": self.left_out,
        }

    def summary(self) -> str:
        """What was done, in lines of text."""
        warned = sum(bool(case["warnings"]) for case in self.cases)
        method = self.weights["method"] or "not registered here"
        lines = [
            f"{len(self.cases)} mask(s) written to {self.output_dir}; {VOLUMES} there has voxels and ml of each label.",
            *(f"  {line}" for line in shortened([case["mask"] for case in self.cases])),
            f"Weights: {self.weights['file']} ({method}), SHA-256 {self.weights['sha256']}.",
            f"Device {self.computed.computed_on}; {time.monotonic() - self.started:.1f} s. "
            f"Scans with warnings: {warned}.",
            f"Left out: {len(self.left_out) or 'nothing'}.",
            *(f"  {line}" for line in shortened(self.left_out)),
        ]
        return "\n".join(lines)
