"""How a run starts: what was given is refused or used, processes join, folders are held, and run.json is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from monai.utils import set_determinism

from seat_components.device import described
from seat_components.evaluation.identity import data_description
from seat_components.records.model import validated, write_record
from seat_components.records.run import FILE, RunDescription
from seat_components.refusals import refuse
from seat_components.running.command_line import given
from seat_components.running.config_check import given_faults
from seat_components.running.console import silence_monai
from seat_components.running.ending import end_on_signals, shorten_config_errors
from seat_components.running.ids import id_faults
from seat_components.running.locks import FolderLock
from seat_components.running.processes import join_processes
from seat_components.running.provenance import cases_sha256, provenance
from seat_components.running.tracking import tracking_faults
from seat_components.running.values import check_values
from seat_components.weights import keep_shipped


def check_command_line() -> None:
    """Refuse unknown ids, wrong values and missing packages, before MONAI builds anything; end signals in words.

    Only under ``python -m monai.bundle run``: a config's expressions never see the config as it was given, so that this
    reads the command line; in any other program, signals and messages are its own. It comes before ``start``, as MONAI
    computes the values that an expression names before the expression itself.

    Raises:
        SystemExit: naming every id, its value and what it must be.
    """
    line = given()
    if line is None:
        return
    end_on_signals()
    shorten_config_errors()
    silence_monai()
    if faults := id_faults(line) or given_faults(line) or tracking_faults(line):
        refuse("\n       ".join(faults))


def start(seed: int, device: str | torch.device, distributed: bool = False) -> None:
    """Join the run's other processes, if any, and set all random numbers.

    Args:
        seed: of Python's, NumPy's and PyTorch's random numbers.
        device: this process's device.
        distributed: whether the run has several processes.

    Raises:
        RefusalError: if a value is not of its kind, or ``torchrun`` and the config do not agree on several processes.
    """
    check_values(seed=seed, device=device, distributed=distributed)
    join_processes(distributed, device)
    set_determinism(seed=seed)


def begin_training(ckpt_dir: str | Path, output_dir: str | Path) -> FolderLock:
    """Before anything is written: hold the training's files in both folders, and copy shipped weights aside.

    Returns:
        The lock, which is to live as long as the training: MONAI keeps what the lines of ``run`` give until the last.

    Raises:
        RefusalError: if another run writes them, or if a folder cannot be written in.
    """
    lock = FolderLock("training", [ckpt_dir, output_dir])
    keep_shipped(ckpt_dir)
    return lock


def write_run_record(
    output_dir: str | Path,
    dataset_dir: str | Path,
    device: str | torch.device,
    amp: bool,
    cases: Sequence[Mapping[str, Any]] = (),
    data_sha256: str | None = None,
    **values: Any,
) -> None:
    """Write ``run.json`` in ``output_dir``, on the first process.

    Args:
        output_dir: the run's output folder.
        dataset_dir: what its dataset.json says about the data is written, too.
        device: what it trains on.
        amp: whether the network runs under autocast.
        cases: the training cases, of which the record has the number and a hash.
        data_sha256: that hash, where it is known already (see ``cases_sha256``): large files take time to read.
        values: what else ``RunDescription`` says.
    """
    if idist.get_rank() != 0:
        return
    path = Path(output_dir) / FILE
    values |= {"data": data_description(dataset_dir), **described(device, amp), **provenance()}
    if cases:
        values |= {"training_cases": len(cases), "data_sha256": data_sha256 or cases_sha256(cases)}
    write_record(validated(RunDescription, values, str(path)), path)
