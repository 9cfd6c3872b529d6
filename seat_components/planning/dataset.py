"""What a dataset.json says about its dataset as a whole: channels, labels, licence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from seat_components.data import read_dataset
from seat_components.data.index import CaseFiles, dataset_content
from seat_components.refusals import refuse
from seat_components.scan_files import missing_files
from seat_components.tasks.table import all_ct

# Names go into configs, where MONAI would run a text that begins with $ and replace one that begins with @ or %.
_NAME = re.compile(r"\w[\w .,;:+&()/°'-]*")
_MOST_LABELS = 256


@dataclass(frozen=True)
class DatasetDescription:
    """A dataset in MSD layout.

    Attributes:
        folder: where it lies.
        title: its name.
        modalities: one name per channel of its images, in their order.
        labels: one name per class; the position is the label value, position 0 is the background.
        licence, reference: as the dataset states them; empty where it does not.
        cases: the labelled cases by name.
    """

    folder: Path
    title: str
    modalities: tuple[str, ...]
    labels: tuple[str, ...]
    licence: str
    reference: str
    cases: dict[str, CaseFiles]

    @property
    def is_ct(self) -> bool:
        """Whether all channels are CT, so that intensities are Hounsfield units."""
        return all_ct(self.modalities)


def read_description(dataset_dir: str | Path) -> DatasetDescription:
    """Read and check ``dataset_dir``/dataset.json; no image is opened.

    Raises:
        RefusalError: naming the file and the rule, if there is no dataset.json or it is not in MSD's form, if it
            lists fewer than two labelled cases or a file that does not exist, or if its channels or labels are not
            numbered 0, 1, 2, … or not named by plain words.
    """
    index = read_dataset(dataset_dir)
    content = dataset_content(index.file)
    if len(index.training) < 2:
        refuse(
            f'{index.file} lists {len(index.training)} labelled case(s) under "training", but training and validation '
            'need at least one each. Each is {"image": path, "label": path}.'
        )
    if missing := missing_files(path for case in index.training.values() for path in case.values()):
        head = f"{index.file} lists {len(missing)} file(s) that do not exist; restore them or unlist the cases:"
        refuse("\n  ".join([head, *missing[:20]]))
    labels = _numbered(content, "labels", index.file)
    if not 2 <= len(labels) <= _MOST_LABELS:
        _refuse_names(index.file, "labels", f"names {len(labels)} classes, but 2 to {_MOST_LABELS} can be trained")
    return DatasetDescription(
        folder=index.file.parent,
        title=_text(content.get("name")) or index.file.parent.name,
        modalities=_numbered(content, "modality", index.file),
        labels=labels,
        licence=_text(content.get("licence") or content.get("license")),
        reference=_text(content.get("reference")),
        cases=dict(sorted(index.training.items())),
    )


def _numbered(content: dict[str, Any], section: str, file: Path) -> tuple[str, ...]:
    """The names of a section {"0": first, "1": second, …}."""
    names = content.get(section)
    if not isinstance(names, dict) or not names:
        _refuse_names(file, section, "is missing, or no JSON object")
    if set(names) != {str(number) for number in range(len(names))}:
        _refuse_names(file, section, f"has the numbers {', '.join(names)}, but they must be 0, 1, 2, … without a gap")
    ordered = tuple(names[str(number)] for number in range(len(names)))
    for name in ordered:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            _refuse_names(
                file, section, f"has the name {name!r}, but a name begins with a letter or digit and is plain text"
            )
    # Training compares names by their letters and digits, so these must tell them apart.
    if len({"".join(filter(str.isalnum, name.casefold())) for name in ordered}) < len(ordered):
        _refuse_names(file, section, f"has two names that say the same ({', '.join(ordered)}): number or describe them")
    return ordered


def _refuse_names(file: Path, section: str, fault: str) -> NoReturn:
    example = {"labels": '{"0": "background", "1": "tumour"}', "modality": '{"0": "CT"}'}[section]
    refuse(f'{file}: "{section}" {fault}. MSD writes it as {example}.')


def _text(value: Any) -> str:
    """Free text on one line, without the signs that have a meaning in the template or in JSON."""
    if not isinstance(value, str):
        return ""
    return " ".join(re.sub(r'[{}"\\\x00-\x08\x0e-\x1f\x7f]', "", value).split())
