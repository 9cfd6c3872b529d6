"""Results of shipped weights, which cards and metadata state: taken from evaluation records only."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from pathlib import Path
from typing import Any

from seat_components.budget import RANGE
from seat_components.files import is_there
from seat_components.records import run as run_record
from seat_components.records.attacked import CLEAN, WORST, AttackMean
from seat_components.records.bootstrap import FEWEST, bootstrap_mean
from seat_components.records.corruptions import read_corruptions
from seat_components.records.metrics import Means, read_metrics
from seat_components.records.model import read_record, write_record
from seat_components.records.registered import (
    AttackedFigures,
    AttackFigure,
    CorruptedFigures,
    Provenance,
    RegisteredWeights,
    Registry,
)
from seat_components.records.robustness import Robustness, read_robustness
from seat_components.refusals import refuse
from seat_components.tasks import Task

FILE = Path(__file__).parent / "results.json"
# A card names no folder of the machine that trained.
_LEFT_OUT = ("ckpt_dir", "output_dir", "cache_dir", "bundle_root", "logging_file")


def collect_result(run: Path, method: str, file: str, training: str, url: str = "") -> RegisteredWeights:
    """The result of one file of weights, from the records in ``run``.

    Args:
        run: an output folder with ``metrics.json`` and ``robustness.json`` of these weights.
        method: how they were trained.
        file: the weights' name in ``models/``.
        training: the training in words, with its command.
        url: where they are downloaded from; empty for weights in the bundle.

    Raises:
        RefusalError: if the two records are not of the same weights.
    """
    metrics, robustness = read_metrics(run / "metrics.json"), read_robustness(run / "robustness.json")
    if metrics.weights_sha256 != robustness.weights_sha256:
        refuse(f"metrics.json and robustness.json in {run} are of different weights: evaluate one file only.")
    weights = RegisteredWeights(
        file=file,
        method=method,
        sha256=metrics.weights_sha256,
        training=training,
        cases=len(metrics.cases),
        clean=Means(mean_dice=metrics.mean_dice, dice=metrics.summary.dice),
        **_attacked(robustness).said(),
    )
    more: dict[str, Any] = {"url": url} if url else {}
    if trained := _provenance(run, metrics.weights_sha256):
        more["provenance"] = trained
    return weights.model_copy(update=more)


def _provenance(run: Path, digest: str) -> Provenance | None:
    """What run.json in ``run`` says of the training, where weights of that training have this SHA-256."""
    if not is_there(run / run_record.FILE):
        return None
    record = read_record(run_record.RunDescription, run / run_record.FILE)
    if not (record.ckpt_dir and record.data_sha256 and record.config_sha256):
        return None
    written = [Path(record.ckpt_dir) / name for name in ("model.pt", "model_final.pt")]
    if not any(file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest for file in written):
        return None
    return Provenance(
        command=_without_places(record.command),
        config_sha256=record.config_sha256,
        training_cases=record.training_cases or 0,
        data_sha256=record.data_sha256,
        code=record.versions.get("seat_components", ""),
    )


def _without_places(command: str) -> str:
    """A training's command as it is typed in the bundle's folder, with DATA for the dataset's."""
    words = shlex.split(command)
    kept: list[str] = []
    while words:
        word = words.pop(0)
        if not re.match("--?[A-Za-z]", word):
            kept.append(word)
            continue
        option, equals, value = word.partition("=")
        if not equals and words and not words[0].startswith("--"):
            value = words.pop(0)
        name = option.lstrip("-").replace("-", "_")
        if name not in _LEFT_OUT:
            kept += [option, _placeless(name, value)] if value else [option]
    return " ".join(map(_quoted, kept))


def _placeless(name: str, value: str) -> str:
    if name == "dataset_dir":
        return "DATA"
    if name == "config_file":
        # A training that was resumed is the uninterrupted one.
        return re.sub(r",\s*'configs/resume\.json'", "", re.sub(r"[^'\"\[,]*/(?=configs/)", "", value))
    return Path(value).name if Path(value).is_absolute() else value


def _quoted(word: str) -> str:
    """As a person would quote it: a list of texts in double quotes."""
    return f'"{word}"' if "'" in word and not re.search(r'["$`\\!]', word) else shlex.quote(word)


def _attacked(robustness: Robustness, **said: Any) -> AttackedFigures:
    if robustness.budget != RANGE:
        refuse(f"A card states shares of the range, but this robustness.json has --budget {robustness.budget}.")
    cases = len(set(robustness.case_names) - set(robustness.unfinished))
    if robustness.cost:
        said |= {"seconds": sum(cost.seconds for cost in robustness.cost.values()), "device": robustness.computed_on}
    return AttackedFigures(
        attacked_cases=cases,
        protocol=robustness.protocol,
        scope=robustness.scope,
        attacked=tuple(
            AttackFigure(
                attack=row.attack,
                eps_255=row.eps_255,
                mean_dice=row.mean_dice,
                # An attack that ran on some cases only says on how many.
                **({} if row.cases == cases or math.isnan(row.cases) else {"cases": row.cases}),
                **_interval(robustness, row),
            )
            for row in robustness.summary
        ),
        **said,
    )


def _interval(robustness: Robustness, row: AttackMean) -> dict[str, float]:
    values = [
        case.mean_dice
        for case in robustness.cases
        if case.case not in robustness.unfinished and (case.attack, case.eps_255) == (row.attack, row.eps_255)
    ]
    if len(values) < FEWEST:
        return {}
    _, low, high = bootstrap_mean(values)
    return {"low": low, "high": high}


def add_protocol(task: Task, run: Path, file: str, command: str) -> None:
    """Put the attacks recorded in ``run`` beside a result that is there already, in place of the same protocol's.

    Args:
        task: whose bundle ships the weights.
        run: an output folder with ``robustness.json``.
        file: the weights' name in ``models/``.
        command: what was run.

    Raises:
        RefusalError: if there is no result of these weights yet.
    """
    robustness = read_robustness(run / "robustness.json")
    result = _registered(task, run, file, robustness.weights_sha256)
    added = _attacked(robustness, command=command)
    others = tuple(other for other in result.more if other.protocol != added.protocol)
    write_result(task, result.model_copy(update={"more": (*others, added)}))


def add_corruptions(task: Task, run: Path, file: str, command: str) -> None:
    """Put what ``run`` recorded under corruptions beside a result that is there already, in place of an earlier one.

    Args:
        task: whose bundle ships the weights.
        run: an output folder with ``corruptions.json``.
        file: the weights' name in ``models/``.
        command: what was run.

    Raises:
        RefusalError: if there is no result of these weights yet, or the record has no finished case.
    """
    record = read_corruptions(run / "corruptions.json")
    result = _registered(task, run, file, record.weights_sha256)
    worst = record.worst_corruption
    if worst is None:
        refuse(f"{run / 'corruptions.json'} has no figure to state: no case is finished, or their clean Dice is 0.")
    clean = next(row for row in record.summary if row.corruption == CLEAN)
    figures = CorruptedFigures(
        cases=clean.cases,
        scope=record.scope,
        clean_dice=clean.mean_dice,
        dice_kept=record.dice_kept,
        worst_corruption=worst,
        worst_kept=record.dice_kept_under[worst],
        command=command,
    )
    write_result(task, result.model_copy(update={"corrupted": figures}))


def _registered(task: Task, run: Path, file: str, sha256: str) -> RegisteredWeights:
    found = [result for result in results_of(task) if result.sha256 == sha256]
    if not found or found[0].file != file:
        refuse(f"{run} is of other weights than the {file} that the card of {task.bundle} describes.")
    return found[0]


def write_result(task: Task, result: RegisteredWeights) -> None:
    """Put ``result`` in the place of an earlier one of the same file."""
    write_record(_registry().with_one(task.name, result), FILE)


def results_of(task: Task) -> list[RegisteredWeights]:
    """The results of a task's shipped weights, best known first."""
    return _registry().of(task.name)


def method_of(digest: str) -> str | None:
    """How the shipped or registered weights with this SHA-256 were trained; None of others."""
    known = (result for results in _registry().all().values() for result in results)
    return next((result.method for result in known if result.sha256 == digest), None)


def _registry() -> Registry:
    return read_record(Registry, FILE, "It comes with the package: install that again.")


def eval_metrics(task: Task) -> dict[str, float]:
    """``eval_metrics`` of metadata.json: figures of model.pt."""
    shipped = [result for result in results_of(task) if result.file == "model.pt"]
    if not shipped:
        return {}
    result = shipped[0]
    figures = {"mean_dice": result.clean.mean_dice}
    for row in result.attacked:
        if row.attack == WORST:
            figures[f"mean_dice_worst_{result.protocol}_{row.eps_255:g}_255"] = row.mean_dice
    return {name: round(value, 4) for name, value in figures.items()}
