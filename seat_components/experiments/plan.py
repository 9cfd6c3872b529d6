"""The plan of an experiment: which runs, from what weights, under which attacks; a JSON file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from seat_components.refusals import refuse

KINDS = {
    str: ("a text", ("title", "bundle", "dataset_dir", "out", "remark")),
    list: ("a list", ("seeds", "weights")),
    dict: ("an object", ("common", "train", "evaluate", "attacks")),
}
WEIGHTS = ("model.pt", "model_final.pt")


@dataclass(frozen=True)
class Run:
    """One training, repeated for each seed.

    Attributes:
        name: folder and name in the results.
        overlays: configs over train.json, e.g. ``["free"]``.
        train: overrides of its training.
        pretrained: name of the run whose ``model.pt`` it starts from (with the overlay ``finetune``).
        continues: name of the run whose finished training it extends; its ``epochs`` are the new total.
    """

    name: str
    overlays: tuple[str, ...] = ()
    train: dict[str, Any] = field(default_factory=dict)
    pretrained: str | None = None
    continues: str | None = None


@dataclass(frozen=True)
class Plan:
    """What an experiment does.

    Attributes:
        title: of the results page.
        bundle: the bundle's folder.
        dataset_dir: the MSD folder.
        out: folder of everything the experiment writes.
        seeds: each run is trained with each.
        common: overrides of every command, e.g. ``network_def``.
        train: overrides of every training.
        evaluate: overrides of every evaluation.
        attacks: overrides of attack.json by the name of the attack's folder, as ``{"paper": {"protocol": "paper"}}``.
        weights: which of a run's weights are attacked: "model.pt" (best validation) and "model_final.pt".
        runs: in the order in which they are done.
        remark: said at the top of the results, e.g. what was scaled down.
    """

    title: str
    bundle: Path
    dataset_dir: Path
    out: Path
    runs: tuple[Run, ...]
    seeds: tuple[int, ...] = (0,)
    common: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    evaluate: dict[str, Any] = field(default_factory=dict)
    attacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    weights: tuple[str, ...] = ("model.pt",)
    remark: str = ""


def read_plan(file: Path, dataset_dir: Path | None = None, out: Path | None = None) -> Plan:
    """Read and check a plan; ``dataset_dir`` and ``out`` replace the file's.

    Raises:
        RefusalError: naming the file and what is wrong: no JSON, an unknown or missing entry, a run that starts from
            one that does not stand before it, a folder that is not there.
    """
    if not file.is_file():
        refuse(f"There is no plan {file}: a plan is a JSON file, as those in seat_components/experiments/plans")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        refuse(f"{file} cannot be read as a plan: {error}")
    if not isinstance(values, dict) or not isinstance(values.get("runs"), dict) or not values["runs"]:
        refuse(f'{file}: a plan is a JSON object with at least "bundle" and "runs": {{name: {{…}}}}')
    _check_types(file, values)
    runs = tuple(_run(file, name, entry) for name, entry in values.pop("runs").items())
    values["bundle"] = Path(values.get("bundle", ""))
    values["dataset_dir"] = Path(dataset_dir or values.get("dataset_dir", ""))
    values["out"] = Path(out or values.get("out", Path("runs") / file.stem))
    values.setdefault("title", file.stem)
    for name in ("seeds", "weights"):
        if name in values:
            values[name] = tuple(values[name])
    _check_names(file, values, set(Plan.__dataclass_fields__), "the plan")
    plan = Plan(runs=runs, **values)
    _check(file, plan)
    return plan


def _run(file: Path, name: str, entry: Any) -> Run:
    if not isinstance(entry, dict):
        refuse(f"{file}: run {name!r} must be an object, {{}} for plain SEAT training")
    _check_names(file, entry, set(Run.__dataclass_fields__) - {"name"}, f"run {name!r}")
    return Run(name=name, **{**entry, "overlays": tuple(entry.get("overlays", ()))})


def _check_types(file: Path, values: dict[str, Any]) -> None:
    for kind, (words, names) in KINDS.items():
        for name in names:
            if name in values and not isinstance(values[name], kind):
                refuse(f"{file}: {name} is {values[name]!r}, but it must be {words}")
    for name, overrides in values.get("attacks", {}).items():
        if not isinstance(overrides, dict):
            refuse(f"{file}: attack {name!r} is {overrides!r}, but it must be an object of attack.json's values")
    # These names become folders.
    for name in (*values["runs"], *values.get("attacks", {})):
        if not re.fullmatch(r"\w[\w.-]*", name):
            refuse(f"{file}: {name!r} names a folder, and may have letters, digits, '-', '_' and '.' only")
    for name in {"evaluate", "theory"} & set(values.get("attacks", {})):
        refuse(f"{file}: an attack cannot be named {name!r}, as another step has that folder")


def _check_names(file: Path, values: dict[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        refuse(f"{file}: {what} has an entry {unknown[0]!r}; there are {', '.join(sorted(known))}")


def _check(file: Path, plan: Plan) -> None:
    def wrong(what: str) -> NoReturn:
        refuse(f"{file}: {what}")

    if not (plan.bundle / "configs" / "train.json").is_file():
        wrong(f"bundle {plan.bundle} has no configs/train.json")
    if not (plan.dataset_dir / "dataset.json").is_file():
        wrong(f"dataset_dir {plan.dataset_dir} has no dataset.json; give --dataset")
    if not plan.seeds or not plan.weights or not set(plan.weights) <= set(WEIGHTS):
        wrong(f"seeds and weights must not be empty, and weights are of {', '.join(WEIGHTS)}")
    if "seed" in plan.train or "seed" in plan.common or any("seed" in run.train for run in plan.runs):
        wrong('a training\'s seed stands in "seeds", once for all runs')
    before: set[str] = set()
    for run in plan.runs:
        for name in (run.pretrained, run.continues):
            if name is not None and name not in before:
                wrong(f"run {run.name!r} starts from {name!r}, which must be a run that stands before it")
        for overlay in run.overlays:
            if not (plan.bundle / "configs" / f"{overlay}.json").is_file():
                wrong(f"run {run.name!r} names the overlay {overlay!r}, but {plan.bundle} has no such config")
        before.add(run.name)
