"""Results of shipped weights, which cards and metadata state: taken from evaluation records only."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from seat_components.files import read_json_object
from seat_components.records.fields import Fields
from seat_components.records.metrics import read_metrics
from seat_components.records.robustness import Robustness, eps_of, read_robustness
from seat_components.refusals import refuse
from seat_components.tasks import Task

FILE = Path(__file__).parent / "results.json"


def collect_result(run: Path, method: str, file: str, training: str) -> dict[str, Any]:
    """The result of one file of weights, from the records in ``run``.

    Args:
        run: an output folder with ``metrics.json`` and ``robustness.json`` of these weights.
        method: how they were trained.
        file: the weights' name in ``models/``.
        training: the training in words, with its command.

    Raises:
        RefusalError: if the two records are not of the same weights.
    """
    metrics, robustness = read_metrics(run / "metrics.json"), read_robustness(run / "robustness.json")
    if metrics.weights_sha256 != robustness.weights_sha256:
        refuse(f"metrics.json and robustness.json in {run} are of different weights: evaluate one file only.")
    return {
        "file": file,
        "method": method,
        "sha256": metrics.weights_sha256,
        "training": training,
        "cases": len(metrics.cases),
        "clean": {"mean_dice": metrics.mean_dice, "dice": {name: one.dice for name, one in metrics.labels.items()}},
        **_attacked(robustness),
    }


def _attacked(robustness: Robustness) -> dict[str, Any]:
    cases = len(set(robustness.case_names) - set(robustness.unfinished))
    return {
        "attacked_cases": cases,
        "protocol": robustness.protocol,
        "scope": robustness.scope,
        "attacked": [
            {
                **{"attack": row.attack, "eps_255": row.eps_255, "mean_dice": row.mean_dice},
                # An attack that ran on some cases only says on how many.
                **({} if row.cases == cases or math.isnan(row.cases) else {"cases": int(row.cases)}),
            }
            for row in robustness.summary
        ],
    }


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
    found = [result for result in results_of(task) if result["sha256"] == robustness.weights_sha256]
    if not found or found[0]["file"] != file:
        refuse(f"{run} attacked other weights than the {file} that the card of {task.bundle} describes.")
    added = {**_attacked(robustness), "command": command}
    others = [other for other in found[0].get("more", []) if other["protocol"] != added["protocol"]]
    write_result(task, {**found[0], "more": [*others, added]})


def write_result(task: Task, result: dict[str, Any]) -> None:
    """Put ``result`` in the place of an earlier one of the same file."""
    results = read_json_object(FILE)
    others = [other for other in results.get(task.name, []) if other["file"] != result["file"]]
    results[task.name] = [*others, result]
    FILE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def results_of(task: Task) -> list[dict[str, Any]]:
    """The results of a task's shipped weights, best known first."""
    content = Fields.of_file(FILE, "It comes with the package: install that again.")
    results = content.records(task.name) if task.name in content else []
    for result in results:
        _check(result)
    return sorted((result.values for result in results), key=lambda result: str(result["file"]))


def _check(result: Fields) -> None:
    """Refuse a registered result that lacks what cards, metadata and the list of weights say."""
    for name in ("file", "method", "sha256"):
        result.name(name)
    result.text("training")
    result.measured("cases")
    clean = result.record("clean")
    clean.dice("mean_dice")
    clean.dice_by_label()
    for attacked in (result, *(result.records("more") if "more" in result else ())):
        attacked.name("protocol")
        attacked.measured("attacked_cases")
        for row in attacked.records("attacked"):
            row.name("attack")
            row.dice("mean_dice")
            eps_of(row)


def method_of(digest: str) -> str | None:
    """How the shipped or registered weights with this SHA-256 were trained; None of others."""
    content = read_json_object(FILE)
    known = {result["sha256"]: str(result["method"]) for results in content.values() for result in results}
    return known.get(digest)


def eval_metrics(task: Task) -> dict[str, float]:
    """``eval_metrics`` of metadata.json: figures of model.pt."""
    shipped = [result for result in results_of(task) if result["file"] == "model.pt"]
    if not shipped:
        return {}
    result = shipped[0]
    figures = {"mean_dice": result["clean"]["mean_dice"]}
    for row in result["attacked"]:
        if row["attack"] == "worst":
            figures[f"mean_dice_worst_{result['protocol']}_{row['eps_255']:g}_255"] = row["mean_dice"]
    return {name: round(value, 4) for name, value in figures.items()}
