"""A record that grows result by result: what it lacks, and how it is written, so that a killed evaluation goes on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator

from seat_components.device import described
from seat_components.evaluation.identity import fingerprints, name_of
from seat_components.evaluation.store import M, all_versions, read_own_record, stale_cases
from seat_components.records.evaluated import Evaluated
from seat_components.records.model import write_record
from seat_components.records.table import write_table


class _Row(Protocol):
    @property
    def case(self) -> str: ...
    @staticmethod
    def columns(labels: Sequence[str]) -> list[str]: ...
    def cells(self) -> dict[str, Any]: ...


H = TypeVar("H", bound=Evaluated)
R = TypeVar("R", bound=_Row)


class CaseByCase(ABC, Generic[M, H, R]):
    """A handler of an evaluator that records each result; what the record holds is not computed again.

    Args:
        path: the record's JSON file; a table of the same rows is written beside it.
        header: what it is a record of.
        identity: the header's fields in which an earlier record must agree to be gone on with.
        model: what the file holds.
        row: what its ``cases`` are.
        labels: names of the foreground classes.
        by: the fields that tell the results of a case apart.
        asked: their values for each result that a case is to have.
        max_cases: only the first cases; None for all. More may follow into the same record.

    Raises:
        RefusalError: if a file in the record's place is none.
    """

    def __init__(
        self,
        path: Path,
        header: H,
        identity: Sequence[str],
        model: type[M],
        row: type[R],
        labels: Sequence[str],
        by: Sequence[str] = (),
        asked: Sequence[tuple[Any, ...]] = ((),),
        max_cases: int | None = None,
    ) -> None:
        self.path, self.header, self.labels = path, header, list(labels)
        self.max_cases, self._row, self._by, self._asked = max_cases, row, tuple(by), list(asked)
        said = header.as_json()
        before: Any = read_own_record(path, {name: said[name] for name in identity}, model, self.labels)
        self.rows: list[R] = []
        self.files: dict[str, str] = {}
        if before is not None:
            self.rows, self.files = list(before.cases), self.files_of(before)
            self.header = header.model_copy(update={"versions": all_versions(before.versions, header.versions)})

    def files_of(self, record: Any) -> dict[str, str]:
        """Case → the fingerprint of its files, as a record holds them."""
        return dict(record.files)

    def remaining(self, cases: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Of the first ``max_cases`` cases of a datalist, those that the record does not hold completely.

        Results of files that have changed since are dropped. If the record holds cases that are not in the datalist,
        as those of another fold, it is kept aside and a new one begins.
        """
        files = fingerprints(cases)
        recorded = {row.case: self.files.get(row.case) for row in self.rows}
        if stale := stale_cases(self.path, self.header.weights_sha256, recorded, files):
            self.rows = [row for row in self.rows if row.case not in stale]
            if self.rows:
                # On disk as well, as a case beyond max_cases is not run again now.
                self.write()
        self.files = files
        return [case for case in cases[: self.max_cases] if self.missing(name_of(case))]

    def missing(self, case: str) -> list[tuple[Any, ...]]:
        """The results of a case that the record does not hold."""
        done = {tuple(getattr(row, name) for name in self._by) for row in self.rows if row.case == case}
        return [values for values in self._asked if values not in done]

    def runs(self, cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A sample for each result of these cases that the record does not hold, case by case."""
        return [
            {**case, "case": name_of(case), **dict(zip(self._by, values, strict=True))}
            for case in cases
            for values in self.missing(name_of(case))
        ]

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator."""
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write_results)

    def _begin(self, engine: SupervisedEvaluator) -> None:
        self.header = self.header.model_copy(update=described(engine.state.device, bool(engine.amp), engine.network))

    def _write_results(self, engine: SupervisedEvaluator) -> None:
        self.take(engine)
        self.write()

    @abstractmethod
    def take(self, engine: SupervisedEvaluator) -> None:
        """Add the rows of an evaluator's iteration."""

    @abstractmethod
    def record(self) -> M:
        """The whole record."""

    def write(self) -> None:
        """Write the record as it is now, JSON last: for a result that it holds nothing is written again."""
        cells = [row.cells() for row in self.rows]
        write_table(self._row.columns(self.labels), cells, self.path.with_suffix(".csv"))
        write_record(self.record(), self.path)
