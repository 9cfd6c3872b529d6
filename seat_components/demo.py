"""The main job from one command: train with SEAT, evaluate clean and under attack, report."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path

from seat_components.data import write_phantom
from seat_components.evaluation.identity import data_description
from seat_components.files import is_file, is_there, resolved
from seat_components.launching import bundle_command
from seat_components.records import metrics, robustness
from seat_components.records.bundle import task_of
from seat_components.records.model import read_record
from seat_components.records.run import RunDescription
from seat_components.refusals import refuse
from seat_components.reporting import read_run, write_report
from seat_components.reporting.findings import findings, limits
from seat_components.tasks import Task, load_task

# Small enough for two CPU cores; every value is an ordinary override of the bundle.
_PHANTOM_CASES = (8, 2)
_PHANTOM_OVERRIDES = {"batch_size": 2, "learning_rate": 0.03, "val_interval": 5, "num_workers": 0}
_SMALLER = 8  # voxels by which phantoms are smaller than a window, which then holds all of a volume
_ATTACK_OF_DATA: Mapping[str, object] = {"attack_eps_255": "[4,8]"}
_ATTACK_OF_PHANTOMS: Mapping[str, object] = {"attack_eps_255": "[8]", "steps": 10}


def run_demo(
    bundle: Path,
    out: Path,
    data: Path | None = None,
    epochs: int = 10,
    overrides: Mapping[str, object] | None = None,
) -> Path:
    """Train, evaluate, attack and report below ``out``; an interrupted run goes on where it stopped.

    Args:
        bundle: folder of the bundle.
        out: folder for checkpoints, records and the report.
        data: an MSD task folder; None makes phantoms.
        epochs: epochs to train.
        overrides: further overrides of all three bundle runs.

    Returns:
        The report.

    Raises:
        RefusalError: if ``bundle`` is none, ``out`` holds a run on other data, or one of the steps fails; what that
            printed stands above.
    """
    bundle, out = resolved(bundle), resolved(out)
    if not is_file(bundle / "configs" / "train.json"):
        refuse(f"{bundle} is no bundle's folder, as bundles/msd_task04_hippocampus is: it has no configs/train.json")
    training: Mapping[str, object] = {}
    common: dict[str, object] = {"output_dir": out / "eval", "ckpt_dir": out / "models"}
    if data is not None:
        dataset = resolved(data)
    else:
        task = load_task(task_of(bundle))
        window, training = _small_window(task), _PHANTOM_OVERRIDES
        dataset = _phantom(replace(task, sampling_patch=window), out / "phantom")
        common |= {"patch_size": list(window), "val_patch_size": list(window)}
    _check_same_data(dataset, out / "eval" / "run.json")
    common |= {"dataset_dir": dataset, **(overrides or {})}
    print(f"Training on {dataset} for {epochs} epochs; everything is written to {out}.", flush=True)
    _run(bundle, ["train", "resume"], {**training, **common, "epochs": epochs})
    if not (out / "models" / "model_final.pt").is_file():
        refuse("Training was stopped before its end. Give the same command again to go on.")
    weights = {**common, "weights": out / "models" / "model.pt"}
    print("Evaluating on whole validation volumes.", flush=True)
    _run(bundle, ["train", "evaluate"], weights)
    print("Attacking the validation cases.", flush=True)
    attack = _ATTACK_OF_PHANTOMS if data is None else _ATTACK_OF_DATA
    _run(bundle, ["train", "attack"], {"protocol": "quick", **attack, **weights})
    report = write_report([out / "eval"])
    print("\n".join(["", *_findings(out / "eval"), f"The report is {report}"]))
    return report


def _findings(folder: Path) -> list[str]:
    """What the records in ``folder`` come to, and where they are, in lines of words."""
    run = read_run(folder)
    alarms = run.robustness.alarms if run.robustness else ()
    told = "read them in the report before the figures" if alarms else "none was raised"
    return [
        "What was found, on the validation cases (Dice: 1 is right everywhere, 0 nowhere):",
        *(f"- {line}" for line in findings(run)),
        f"- Alarms about the attacks: {len(alarms)}; {told}.",
        limits([run]),
        f"{folder} holds the records: {metrics.FILE} and {robustness.FILE} have every case;",
        f"{folder.parent / 'models' / 'model.pt'} is the network.",
    ]


def _check_same_data(dataset: Path, record: Path) -> None:
    if not is_there(record):
        return
    before, now = read_record(RunDescription, record).data, data_description(dataset)
    if before != now:
        refuse(f"{record.parent.parent} holds a run on other data ({before or 'not described'}): take another --out.")


def _small_window(task: Task) -> tuple[int, int, int]:
    """The next smaller window that the network takes: its downsampling factors divide each edge."""
    edges = []
    for edge, strides in zip(task.train_patch, zip(*task.strides, strict=True), strict=True):
        multiple = 4 * prod(strides)
        edges.append(max((edge - 1) // multiple, 1) * multiple)
    x, y, z = edges
    return x, y, z


def _phantom(task: Task, folder: Path) -> Path:
    if not (folder / "dataset.json").is_file():
        x, y, z = (max(edge - _SMALLER, 1) for edge in task.sampling_patch)
        write_phantom(replace(task, sampling_patch=(x, y, z)), folder, _PHANTOM_CASES)
    return folder


def _run(bundle: Path, configs: list[str], overrides: Mapping[str, object]) -> None:
    command = bundle_command(configs, overrides)
    # Ctrl-C reaches the run as well, which then saves its state: wait for that instead of ending it half-way.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        status = subprocess.run(command, cwd=bundle, check=False).returncode  # noqa: S603 - our own words
    finally:
        signal.signal(signal.SIGINT, before)
    if status != 0:
        refuse(f"'{configs[-1]}' ended with status {status}; the reason stands above.")
