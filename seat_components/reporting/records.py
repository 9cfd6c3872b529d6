"""Everything that one run left in its output folder, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seat_components.files import is_folder, is_there, resolved
from seat_components.records import history, metrics, robustness, slices
from seat_components.records import run as run_record
from seat_components.records.history import History, read_history
from seat_components.records.metrics import Metrics, read_metrics
from seat_components.records.model import read_record
from seat_components.records.robustness import Robustness, read_robustness
from seat_components.records.run import RunDescription
from seat_components.records.slices import AttackedSlice, read_slices
from seat_components.refusals import refuse


@dataclass(frozen=True, eq=False)
class RunRecords:
    """The records of one run; None where its folder has no such file.

    Attributes:
        name: how the run is called in the report: its method, or else its folder's name.
    """

    name: str
    folder: Path
    description: RunDescription
    history: History | None
    metrics: Metrics | None
    robustness: Robustness | None
    slices: tuple[AttackedSlice, ...]

    @property
    def bundle(self) -> str:
        """The bundle's name from the first record that has it; empty where none does."""
        evaluated = self.robustness or self.metrics
        return self.description.bundle or (evaluated.bundle if evaluated else "")

    @property
    def task(self) -> str:
        """The dataset's name, or the bundle's where run.json does not name it."""
        return self.description.task or self.bundle

    @property
    def data(self) -> str:
        """A remark on the data: run.json's, or what the evaluated dataset says about itself."""
        evaluated = (self.robustness, self.metrics)
        return self.description.data or next((record.data for record in evaluated if record and record.data), "")

    @property
    def is_phantom(self) -> bool:
        """Whether the data are computer-made, so that no published value belongs beside this run's."""
        return "phantom" in self.data.lower()

    @property
    def weights(self) -> list[str]:
        """The SHA-256 of the evaluated weights, each once."""
        evaluated = (self.metrics, self.robustness)
        return list(dict.fromkeys(record.weights_sha256 for record in evaluated if record and record.weights_sha256))

    @property
    def missing(self) -> list[str]:
        """One line for each part that the report cannot have, and what writes its record."""
        parts = (
            (self.history, history.FILE, "training curves and backpropagations (training writes it)"),
            (self.metrics, metrics.FILE, "clean metrics on whole volumes (evaluate.json writes it)"),
            (self.robustness, robustness.FILE, "everything about attacks (attack.json writes it)"),
            (self.slices, f"{slices.SLICES}/*.npz", "example slices (attack.json writes them)"),
        )
        return [f"{means}: {file} is absent or empty" for record, file, means in parts if not record]

    def label_name(self, label: str) -> str:
        """The name of ``label``, or the label itself where run.json does not name it."""
        return self.description.label_names.get(label, label)


def read_run(folder: Path) -> RunRecords:
    """Read every record in ``folder``, an output_dir of a bundle.

    Raises:
        RefusalError: if the folder is missing or has none of the records, or if one of them is malformed.
    """
    if not is_folder(folder):
        refuse(f"{folder} is not a folder: name the output_dir of a training, evaluation or attack run")
    file = folder / run_record.FILE
    description = read_record(RunDescription, file) if is_there(file) else RunDescription()
    records = RunRecords(
        name=description.method or resolved(folder).name,
        folder=folder,
        description=description,
        history=read_history(folder / history.FILE) if is_there(folder / history.FILE) else None,
        metrics=read_metrics(folder / metrics.FILE) if is_there(folder / metrics.FILE) else None,
        robustness=read_robustness(folder / robustness.FILE) if is_there(folder / robustness.FILE) else None,
        slices=tuple(read_slices(folder / slices.SLICES)),
    )
    if not (records.history or records.metrics or records.robustness or records.slices):
        refuse(
            f"{folder} has nothing to report: it must hold {history.FILE} with a finished epoch, {metrics.FILE}, "
            f"{robustness.FILE} or {slices.SLICES}/*.npz, as a bundle's output_dir does after a run"
        )
    return records
