"""Everything that one run left in its output folder, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seat_components.files import is_folder, is_there, resolved
from seat_components.records import certificate, corruptions, history, metrics, robustness, slices
from seat_components.records import run as run_record
from seat_components.records.certificate import Certificate, read_certificate
from seat_components.records.corruptions import Corruptions, read_corruptions
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
    corruptions: Corruptions | None = None
    certificate: Certificate | None = None

    @property
    def bundle(self) -> str:
        """The bundle's name from the first record that has it; empty where none does."""
        return self.description.bundle or next((record.bundle for record in self._evaluated if record.bundle), "")

    @property
    def task(self) -> str:
        """The dataset's name, or the bundle's where run.json does not name it."""
        return self.description.task or self.bundle

    @property
    def data(self) -> str:
        """A remark on the data: run.json's, or what the evaluated dataset says about itself."""
        return self.description.data or next((record.data for record in self._evaluated if record.data), "")

    @property
    def is_phantom(self) -> bool:
        """Whether the data are computer-made, so that no published value belongs beside this run's."""
        return "phantom" in self.data.lower()

    @property
    def weights(self) -> list[str]:
        """The SHA-256 of the evaluated weights, each once."""
        return list(dict.fromkeys(record.weights_sha256 for record in self._evaluated if record.weights_sha256))

    @property
    def evaluated_cases(self) -> list[str] | None:
        """The cases of the first record of an evaluation; None where there is no such record."""
        return next((list(dict.fromkeys(row.case for row in record.cases)) for record in self._evaluated), None)

    @property
    def _evaluated(self) -> list[Robustness | Metrics | Corruptions | Certificate]:
        found = (self.robustness, self.metrics, self.corruptions, self.certificate)
        return [record for record in found if record is not None]

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
        """The name of a label's value, by run.json or another record's order of labels; else ``label`` itself."""
        return (self.description.label_names or self._labels_in_order).get(label, label)

    @property
    def _labels_in_order(self) -> dict[str, str]:
        """Label value → name: records hold the labels in the order of their values, which begin at 1."""
        found = [record.cases[0].dice for record in self._evaluated if record.cases and record.cases[0].dice]
        labels = found[0] if found else self.history.val_dice if self.history else ()
        return {str(value): name for value, name in enumerate(labels, start=1)}


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
        corruptions=read_corruptions(folder / corruptions.FILE) if is_there(folder / corruptions.FILE) else None,
        certificate=read_certificate(folder / certificate.FILE) if is_there(folder / certificate.FILE) else None,
    )
    if not (records.history or records.slices) and records.evaluated_cases is None:
        refuse(
            f"{folder} has nothing to report: it must hold {history.FILE} with a finished epoch, {metrics.FILE}, "
            f"{robustness.FILE}, {corruptions.FILE}, {certificate.FILE} or {slices.SLICES}/*.npz, as a bundle's "
            "output_dir does after a run"
        )
    return records
