"""The plan of an experiment: which runs, from what weights, under which attacks; a JSON file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from seat_components.files import is_file, read_json_object
from seat_components.records.history import MOST_EPOCHS
from seat_components.refusals import refuse

KINDS = {
    str: ("a text", ("title", "bundle", "dataset_dir", "out", "remark")),
    list: ("a list", ("seeds", "weights")),
    dict: ("an object", ("common", "train", "evaluate", "attacks")),
}
ENTRIES = {
    "overlays": (list, "a list of configs"),
    "train": (dict, "an object"),
    "pretrained": (str | None, "the name of a run"),
    "continues": (str | None, "the name of a run"),
}
WEIGHTS = ("model.pt", "model_final.pt")
NAME = re.compile(r"\w[\w.-]{0,99}")
MOST_CASES = 10**9


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
    values = read_json_object(file, "A plan is a JSON file, as those in seat_components/experiments/plans.")
    if not isinstance(values.get("runs"), dict) or not values["runs"]:
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
    for key, (kind, words) in ENTRIES.items():
        if key in entry and not isinstance(entry[key], kind):
            refuse(f"{file}: {key} of run {name!r} is {entry[key]!r}, but it must be {words}")
    overlays = entry.get("overlays", [])
    if not all(isinstance(overlay, str) and NAME.fullmatch(overlay) for overlay in overlays):
        refuse(f"{file}: overlays of run {name!r} are {overlays!r}, but they must be names of configs")
    return Run(name=name, **{**entry, "overlays": tuple(overlays)})


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
        if not NAME.fullmatch(name):
            refuse(f"{file}: {name!r} names a folder: up to 100 letters, digits, '-', '_' and '.'")
    for name in {"evaluate", "theory"} & set(values.get("attacks", {})):
        refuse(f"{file}: an attack cannot be named {name!r}, as another step has that folder")


def _check_names(file: Path, values: dict[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        refuse(f"{file}: {what} has an entry {unknown[0]!r}; there are {', '.join(sorted(known))}")


def _check(file: Path, plan: Plan) -> None:
    def wrong(what: str) -> NoReturn:
        refuse(f"{file}: {what}")

    if not is_file(plan.bundle / "configs" / "train.json"):
        wrong(f"bundle {plan.bundle} has no configs/train.json")
    if not is_file(plan.dataset_dir / "dataset.json"):
        wrong(f"dataset_dir {plan.dataset_dir} has no dataset.json; give --dataset")
    _check_lists(plan, wrong)
    if "seed" in plan.train or "seed" in plan.common or any("seed" in run.train for run in plan.runs):
        wrong('a training\'s seed stands in "seeds", once for all runs')
    before: set[str] = set()
    for run in plan.runs:
        for name in (run.pretrained, run.continues):
            if name is not None and name not in before:
                wrong(f"run {run.name!r} starts from {name!r}, which must be a run that stands before it")
        for overlay in run.overlays:
            if not is_file(plan.bundle / "configs" / f"{overlay}.json"):
                wrong(f"run {run.name!r} names the overlay {overlay!r}, but {plan.bundle} has no such config")
        before.add(run.name)


def _check_lists(plan: Plan, wrong: Callable[[str], NoReturn]) -> None:
    if not _are_distinct(plan.seeds) or not all(type(seed) is int and 0 <= seed < 2**32 for seed in plan.seeds):
        wrong(f"seeds is {list(plan.seeds)}, but it must list whole numbers, 0 to 2³²-1, each once")
    if not _are_distinct(plan.weights) or not all(name in WEIGHTS for name in plan.weights):
        wrong(f"weights is {list(plan.weights)}, but it must list one or both of {', '.join(WEIGHTS)}")
    for place, overrides in _overrides(plan).items():
        for key, least, most in (("epochs", 1, MOST_EPOCHS), ("max_cases", 1, MOST_CASES)):
            value = overrides.get(key, least)
            # Only the number of cases may be null, for all of them.
            without = value is None and key == "max_cases"
            if not without and (type(value) is not int or not least <= value <= most):
                wrong(f"{key} of {place} is {value!r}, but it must be a whole number, {least} to {most}")


def _are_distinct(values: tuple[Any, ...]) -> bool:
    return bool(values) and all(value not in values[:place] for place, value in enumerate(values))


def _overrides(plan: Plan) -> dict[str, dict[str, Any]]:
    """All values for bundle runs, by the entry that they stand in."""
    shared = {"common": plan.common, "train": plan.train, "evaluate": plan.evaluate}
    runs = {f"run {run.name!r}": run.train for run in plan.runs}
    return {**shared, **runs, **{f"attack {name!r}": values for name, values in plan.attacks.items()}}
