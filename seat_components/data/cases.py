"""The labelled cases of a run: the sections of a fold, each listed and checked when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from seat_components.data.checks import check_cases
from seat_components.data.datalist import fold_datalist
from seat_components.data.expectation import Expectation
from seat_components.data.index import CaseFiles
from seat_components.tasks import Task

Section = Literal["training", "validation"]


class FoldCases:
    """The training and the validation cases of a fold, of which a run reads only those that it uses.

    Args:
        dataset_dir: an MSD task folder.
        task: the task, or its dataset or bundle name; any name where ``folds`` is given.
        channel_names, label_names: number → name as the bundle has them; a dataset.json must agree, and every image
            has as many channels, every label no other values.
        fold: the fold's number; of the ten tasks, only fold 0 is published.
        folds: a file that lists folds (see ``read_fold``), in place of the published one.
        pixdim: the spacing in mm, along the axes of RAS orientation, that volumes will be resampled to.
        expected: what scans are to be like; one that is far outside is named in a warning.
        strict: whether such a scan is refused instead.
    """

    def __init__(
        self,
        dataset_dir: str | Path,
        task: Task | str,
        channel_names: Mapping[str, str],
        label_names: Mapping[str, str],
        fold: int = 0,
        folds: str | Path | None = None,
        pixdim: Sequence[float] | None = None,
        expected: Expectation | None = None,
        strict: bool = False,
    ) -> None:
        self.dataset_dir, self.task, self.fold, self.folds = dataset_dir, task, fold, folds
        self.channel_names, self.label_names = channel_names, label_names
        self.pixdim, self.expected, self.strict = pixdim, expected, strict

    @cached_property
    def training(self) -> Sequence[CaseFiles]:
        """The training cases (see ``section``); files of validation cases need not exist."""
        return self.section("training")

    @cached_property
    def validation(self) -> Sequence[CaseFiles]:
        """The validation cases (see ``section``); files of training cases need not exist."""
        return self.section("validation")

    def section(
        self, name: Section, choose: Callable[[Sequence[CaseFiles]], Sequence[CaseFiles]] | None = None
    ) -> Sequence[CaseFiles]:
        """The cases of one section, each read to its end and found to be in order.

        Args:
            name: ``training`` or ``validation``.
            choose: which of the listed cases are used; only these are read.

        Returns:
            ``{"image": path, "label": path}`` per case.

        Raises:
            RefusalError: if the list or a case is not in order (see ``fold_datalist`` and ``check_cases``).
        """
        listed: Sequence[CaseFiles] = fold_datalist(
            self.dataset_dir, self.task, self.fold, name, self.folds, self.channel_names, self.label_names
        )
        return check_cases(
            listed if choose is None else choose(listed),
            labels=[int(value) for value in self.label_names],
            channels=len(self.channel_names),
            pixdim=self.pixdim,
            expected=self.expected,
            strict=self.strict,
        )
