"""The plan of an experiment: which runs, from what weights, under which attacks; a JSON file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from seat_components.files import is_file, read_json_object
from seat_components.records.history import MOST_EPOCHS
from seat_components.records.model import ClosedRecord, Rows, validated
from seat_components.refusals import refuse

_WEIGHTS = ("model.pt", "model_final.pt")
_OTHER_STEPS = ("evaluate", "theory")
_MOST_CASES = 10**9

Overrides = dict[str, Any]


def _file_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise ValueError(f"is {name!r}, but it names a file or folder: up to 100 letters, digits, '-', '_' and '.'")
    return name


def _attack_name(name: str) -> str:
    if name in _OTHER_STEPS:
        raise ValueError(f"is an attack, but none can be named {name!r}, as another step has that folder")
    return _file_name(name)


def _seeds(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if not seeds or len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
        raise ValueError(f"is {list(seeds)}, but it must list whole numbers, 0 to 2³²-1, each once")
    return seeds


def _weights(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or len(set(names)) < len(names) or not set(names) <= set(_WEIGHTS):
        raise ValueError(f"is {list(names)}, but it must list one or both of {', '.join(_WEIGHTS)}")
    return names


FileName = Annotated[str, AfterValidator(_file_name)]
Seeds = Annotated[Rows[int], AfterValidator(_seeds)]
Folder = Annotated[Path, BeforeValidator(lambda value: Path(value) if isinstance(value, str) else value)]


class Run(ClosedRecord):
    """One training, repeated with each seed.

    Attributes:
        overlays: configs over train.json, e.g. ``["free"]``.
        train: overrides of its training.
        pretrained: what it starts from (with the overlay ``finetune``): the name of the run whose ``model.pt`` that is,
            or a file of weights, ``FOLDER/NAME.pt``.
        continues: name of the run whose finished training it extends; its ``epochs`` are the new total.
        seeds: those that it is trained with; the plan's by default.
        line: what it is one budget of: runs of one line are joined in pictures; its own name by default.
        kind: what that is a variant of: pictures show the best line of each; by default what stands before "-".
    """

    overlays: Rows[FileName] = ()
    train: Overrides = Field(default_factory=dict)
    pretrained: str | None = None
    continues: str | None = None
    seeds: Seeds | None = None
    line: str = ""
    kind: str = ""

    @property
    def pretrained_file(self) -> Path | None:
        """The file of weights that it starts from, where it is none of the plan's own."""
        # A run's name has no slash.
        return Path(self.pretrained) if self.pretrained is not None and "/" in self.pretrained else None


class Plan(ClosedRecord):
    """What an experiment does.

    Attributes:
        title: of the results page.
        bundle: the bundle's folder.
        dataset_dir: the MSD folder.
        out: folder of everything the experiment writes.
        seeds: those of each run that names none of its own.
        common: overrides of every command, e.g. ``network_def``.
        train: overrides of every training.
        evaluate: overrides of every evaluation.
        attacks: overrides of attack.json by the name of the attack's folder, as ``{"paper": {"protocol": "paper"}}``.
        attacked: the runs that an attack is made on, by its name; all of them where it is not named here.
        yardsticks: runs that each other one is compared with.
        theory: whether the theory's quantities are measured as well.
        weights: which of a run's weights are attacked: "model.pt" (best validation) and "model_final.pt".
        runs: by name, which is their folder's too, in the order in which they are done.
        remark: said at the top of the results, e.g. what was scaled down.
    """

    title: str
    bundle: Folder
    dataset_dir: Folder
    out: Folder
    runs: dict[FileName, Run]
    seeds: Seeds = (0,)
    common: Overrides = Field(default_factory=dict)
    train: Overrides = Field(default_factory=dict)
    evaluate: Overrides = Field(default_factory=dict)
    attacks: dict[Annotated[str, AfterValidator(_attack_name)], Overrides] = Field(default_factory=dict)
    attacked: dict[str, Rows[str]] = Field(default_factory=dict)
    yardsticks: Rows[str] = ("free-5",)
    weights: Annotated[Rows[str], AfterValidator(_weights)] = ("model.pt",)
    theory: bool = True
    remark: str = ""

    def seeds_of(self, run: str) -> tuple[int, ...]:
        """The seeds that ``run`` is trained with."""
        return self.runs[run].seeds or self.seeds

    @model_validator(mode="after")
    def _start_from_what_stands_before(self) -> Plan:
        before: set[str] = set()
        for name, run in self.runs.items():
            for start in (run.pretrained if run.pretrained_file is None else None, run.continues):
                if start is not None and start not in before:
                    raise ValueError(f"run {name!r} starts from {start!r}, which must be a run that stands before it")
                if start is not None and (without := sorted({*self.seeds_of(name)} - {*self.seeds_of(start)})):
                    raise ValueError(f"run {name!r} has the seed {without[0]}, which {start!r}, its start, has not")
            before.add(name)
        return self

    @model_validator(mode="after")
    def _what_is_named_is_there(self) -> Plan:
        if unknown := [name for name in self.attacked if name not in self.attacks]:
            raise ValueError(
                f'"attacked" names {unknown[0]!r}, which is none of the attacks: {", ".join(self.attacks)}'
            )
        named = {"attacked": [run for runs in self.attacked.values() for run in runs]}
        if "yardsticks" in self.model_fields_set:
            named["yardsticks"] = [*self.yardsticks]
        for entry, runs in named.items():
            if unknown := [run for run in runs if run not in self.runs]:
                raise ValueError(f'"{entry}" names {unknown[0]!r}, which is none of the runs')
        return self

    @model_validator(mode="after")
    def _overrides_are_possible(self) -> Plan:
        runs = {f"run {name!r}": run.train for name, run in self.runs.items()}
        trainings = {"common": self.common, "train": self.train, **runs}
        if any("seed" in overrides for overrides in trainings.values()):
            raise ValueError('a training\'s seed stands in "seeds", once for all runs')
        if any(key.replace("::", "#") == "train#trainer#max_epochs" for part in trainings.values() for key in part):
            raise ValueError('how long a training lasts stands in "epochs"')
        attacks = {f"attack {name!r}": overrides for name, overrides in self.attacks.items()}
        for place, overrides in {**trainings, "evaluate": self.evaluate, **attacks}.items():
            for key, least, most in (("epochs", 1, MOST_EPOCHS), ("max_cases", 1, _MOST_CASES)):
                value = overrides.get(key, least)
                # Only the number of cases may be null, for all of them.
                without = value is None and key == "max_cases"
                if not without and (type(value) is not int or not least <= value <= most):
                    raise ValueError(f"{key} of {place} is {value!r}, but it must be a whole number, {least} to {most}")
        return self


def read_plan(file: Path, dataset_dir: Path | None = None, out: Path | None = None) -> Plan:
    """Read and check a plan; ``dataset_dir`` and ``out`` replace the file's.

    Raises:
        RefusalError: naming the file and what is wrong: no JSON, an unknown or missing entry, a run that starts from
            one that does not stand before it, a folder or a file of weights that is not there.
    """
    content = read_json_object(file, "A plan is a JSON file, as those in seat_components/experiments/plans.")
    if not content.get("runs"):
        refuse(f'{file}: a plan is a JSON object with at least "bundle" and "runs": {{name: {{…}}}}')
    defaults = {"title": file.stem, "bundle": "", "dataset_dir": "", "out": str(Path("runs") / file.stem)}
    given = {"dataset_dir": dataset_dir, "out": out}
    places = {name: str(place) for name, place in given.items() if place is not None}
    plan = validated(Plan, {**defaults, **content, **places}, str(file))
    configs = plan.bundle / "configs"
    if not is_file(configs / "train.json"):
        refuse(f"{file}: bundle {plan.bundle} has no configs/train.json")
    if not is_file(plan.dataset_dir / "dataset.json"):
        refuse(f"{file}: dataset_dir {plan.dataset_dir} has no dataset.json; give --dataset")
    for name, run in plan.runs.items():
        for overlay in run.overlays:
            if not is_file(configs / f"{overlay}.json"):
                refuse(f"{file}: run {name!r} names the overlay {overlay!r}, but {plan.bundle} has no such config")
        if run.pretrained_file is not None and not is_file(run.pretrained_file):
            refuse(f"{file}: run {name!r} starts from the weights {run.pretrained_file}, which are not there")
    return plan
