"""The steps of a plan: what is run, where, and when it counts as done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seat_components.evaluation.identity import sha256
from seat_components.experiments.plan import Plan
from seat_components.experiments.run_configs import content_of, run_config
from seat_components.files import copy_atomically, is_there, resolved, write_text_atomically
from seat_components.launching import bundle_command
from seat_components.records.history import FILE, read_history
from seat_components.records.model import Name, Record, Rows, read_record
from seat_components.records.numbers import Measured
from seat_components.refusals import refuse


class _Done(Record):
    """A done-mark: how a step was done, and in how many seconds.

    Attributes:
        fingerprint: of the command.
        bundle: the name of the bundle in which it ran.
        source_sha256: the hash of the weights that it started from or examined.
    """

    fingerprint: Name
    seconds: Measured
    command: Rows[str] = ()
    bundle: str = ""
    source_sha256: str | None = None


@dataclass(frozen=True)
class Step:
    """One command of an experiment.

    Attributes:
        name: e.g. ``"seat/seed0/train"``.
        kind: "train", "evaluate", "attack" or "theory": steps of a kind take about the same time.
        folder: where it writes, with its done-mark.
        words: the command.
        epochs: of a training, what its history must reach.
        start: of a continued training, the folder whose checkpoint it starts from.
        homes: the experiment's folder, the dataset's, and a file of weights that is none of the experiment's: all may
            move, to another machine too.
        bundle: the name of the bundle in which it runs.
        source: the weights that it starts from, of another run, or that it examines.
    """

    name: str
    kind: str
    folder: Path
    words: tuple[str, ...]
    epochs: int | None = None
    start: Path | None = None
    homes: tuple[Path, ...] = ()
    bundle: str = ""
    source: Path | None = None

    @property
    def mark(self) -> Path:
        """The file that says that the step is done, how, and in how many seconds."""
        return mark_of(self.folder, self.name.rsplit("/", 1)[-1])

    @property
    def fingerprint(self) -> str:
        """Changes with the command, but not with where the experiment and its data lie."""
        text = json.dumps(self.words[1:], ensure_ascii=False)
        for number, home in enumerate(self.homes):
            text = text.replace(str(home), f"<home {number}>")
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def seconds(self) -> float | None:
        """How long it took; None while it is not done.

        Raises:
            RefusalError: if it was done by another command, in another bundle or from other weights: the plan, or a
                run that it starts from, has changed since.
        """
        if not is_there(self.mark):
            return None
        done = read_record(_Done, self.mark, "Remove it to do the step again.")
        source, bundle = self._source_hash(), done.bundle or self.bundle
        changes = {
            "by another command than the plan's now": done.fingerprint != self.fingerprint,
            f"in the bundle {bundle}, not {self.bundle}": bundle != self.bundle,
            f"from other weights than {self.source} is now": (
                None not in (source, done.source_sha256) and done.source_sha256 != source
            ),
        }
        for change, happened in changes.items():
            if happened:
                refuse(
                    f"{self.name} was done {change} (see {self.mark}): rename the run, or remove its folder to do it "
                    "again"
                )
        return done.seconds

    def prepare(self) -> None:
        """Make the folder, and give a continued training what it starts from."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.start is None:
            return
        # The best weights so far stay the best where no later epoch beats them. The checkpoint comes last, as the
        # training takes it for complete.
        for name in ("model.pt", "training_checkpoint.pt"):
            if not (self.folder / name).exists():
                copy_atomically(self.start / name, self.folder / name)

    def finish(self, seconds: float) -> None:
        """Mark as done.

        Raises:
            RefusalError: if a training ended before its last epoch.
        """
        if self.epochs is not None and _trained_epochs(self.folder) < self.epochs:
            refuse(f"{self.name} ended after epoch {_trained_epochs(self.folder)} of {self.epochs}")
        done = _Done(
            fingerprint=self.fingerprint,
            seconds=round(seconds, 1),
            command=self.words[1:],
            bundle=self.bundle,
            source_sha256=self._source_hash(),
        )
        write_text_atomically(done.text(), self.mark)

    def _source_hash(self) -> str | None:
        # Where the source is gone, it is made again first.
        return None if self.source is None or not self.source.is_file() else sha256(self.source)


def mark_of(folder: Path, name: str | None = None) -> Path:
    """The done-mark of the step ``name``, by default the folder's name, that writes into ``folder``."""
    return folder / f"{name or folder.name}.done.json"


def _trained_epochs(folder: Path) -> int:
    """The last epoch in the folder's training history; 0 without one."""
    file = folder / FILE
    history = read_history(file) if is_there(file) else None
    return 0 if history is None else history.epochs


def run_folder(plan: Plan, run: str, seed: int) -> Path:
    """Where a run of one seed writes its weights and records."""
    return resolved(plan.out / run / f"seed{seed}")


def steps_of(plan: Plan) -> Iterator[Step]:
    """All steps, in the order in which they are done: each run's training, then what examines its weights."""
    for run in plan.runs:
        for seed in plan.seeds_of(run):
            yield _training(plan, run, seed)
            for weights in plan.weights:
                yield from _examinations(plan, run, seed, weights)


def _training(plan: Plan, run: str, seed: int) -> Step:
    entry, folder = plan.runs[run], run_folder(plan, run, seed)
    overrides: dict[str, Any] = {"seed": seed, **plan.common, **plan.train, **entry.train, **_places(plan, folder)}
    overrides["ckpt_dir"] = folder
    file, parent = entry.pretrained_file, entry.pretrained or entry.continues
    if file is not None:
        source: Path | None = resolved(file)
    else:
        source = None if parent is None else run_folder(plan, parent, seed) / "model.pt"
    if entry.pretrained is not None:
        overrides["pretrained"] = source
    overlays = list(entry.overlays)
    if entry.pretrained is not None and "finetune" not in overlays:
        overlays.append("finetune")
    # With resume.json a training that was stopped goes on, and one that never began begins.
    words = bundle_command(["train", *overlays, "resume"], overrides)
    return Step(
        f"{run}/seed{seed}/train",
        "train",
        folder,
        tuple(words),
        epochs=int(overrides["epochs"] if "epochs" in overrides else content_of(run_config(plan, run), "epochs")),
        start=None if entry.continues is None else run_folder(plan, entry.continues, seed),
        homes=_homes(plan) if file is None else (*_homes(plan), resolved(file)),
        bundle=plan.bundle.resolve().name,
        source=source,
    )


def _examinations(plan: Plan, run: str, seed: int, weights: str) -> Iterator[Step]:
    file = run_folder(plan, run, seed) / weights
    folder = file.with_suffix("")
    place, bundle = f"{run}/seed{seed}/{file.stem}", plan.bundle.resolve().name
    shared = {"weights": file, "seed": plan.seeds[0], **plan.common}

    def step(name: str, kind: str, configs: list[str], overrides: dict[str, Any]) -> Step:
        target = folder / name
        words = bundle_command(configs, {**shared, **overrides, **_places(plan, target)})
        return Step(f"{place}/{name}", kind, target, tuple(words), homes=_homes(plan), bundle=bundle, source=file)

    yield step("evaluate", "evaluate", ["train", "evaluate"], plan.evaluate)
    for name, overrides in plan.attacks.items():
        if run not in plan.attacked.get(name, plan.runs):
            continue
        yield step(name, f"attack {name}", ["train", "attack"], overrides)
    if not plan.theory:
        return
    limits = [int(attack.get("max_cases") or 0) for attack in plan.attacks.values()]
    limit = 0 if 0 in limits else max(limits, default=0)  # 0: all cases
    program = ("-m", "seat_components.evaluation.theory", "--weights", str(file), "--out", str(folder / "theory"))
    dataset = str(plan.dataset_dir.resolve())
    options = ("--dataset", dataset, "--cases", str(limit), "--overrides", json.dumps(plan.common))
    interpreter = bundle_command([], {})[0]
    words = (interpreter, *program, *options)
    target = folder / "theory"
    yield Step(f"{place}/theory", "theory", target, words, homes=_homes(plan), bundle=bundle, source=file)


def _homes(plan: Plan) -> tuple[Path, ...]:
    return resolved(plan.out), resolved(plan.dataset_dir)


def _places(plan: Plan, folder: Path) -> dict[str, Any]:
    return {"dataset_dir": plan.dataset_dir.resolve(), "output_dir": folder}
