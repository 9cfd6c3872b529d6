"""What a bundle says about where its data comes from: a published task, or a dataset of one's own."""

from __future__ import annotations

from typing import Any

from seat_components.tasks import Task, fold_cases
from seat_components.tasks.table import OwnData

MSD_PAPER = "Antonelli et al.: The Medical Segmentation Decathlon. Nature Communications 13, 4128 (2022)."
MSD_PAPER_LINK = "https://doi.org/10.1038/s41467-022-30695-9"


def provenance(task: Task) -> dict[str, Any]:
    """The template's values that speak of the dataset."""
    return _of_published(task) if task.own is None else _of_own(task, task.own)


def _of_published(task: Task) -> dict[str, Any]:
    training, validation = fold_cases(task)
    return {
        "folds": None,
        "dataset_text": f"{task.name} of the Medical Segmentation Decathlon",
        "data_section": (
            f"{task.name} of the [Medical Segmentation Decathlon](http://medicaldecathlon.com), CC-BY-SA 4.0 (see "
            "`data_license.txt`).\n"
            f"Fold 0 as published: {len(training)} training and {len(validation)} validation cases."
        ),
        "statistics": "published",
        "tested": " (the project's tests type these in two bundles, on phantom\nvolumes: one of MRI and one of CT)",
        "data_source": f"{task.name} of the Medical Segmentation Decathlon, http://medicaldecathlon.com",
        "data_reference": f"{MSD_PAPER} {MSD_PAPER_LINK}",
        "data_reference_lines": f"{MSD_PAPER}\n   {MSD_PAPER_LINK}",
        "data_license": (
            f"{task.name} is part of the Medical Segmentation Decathlon (MSD), which is licensed under\n"
            "Creative Commons Attribution-ShareAlike 4.0 International (CC-BY-SA 4.0):\n"
            "https://creativecommons.org/licenses/by-sa/4.0/\n\n"
            "Source: http://medicaldecathlon.com\n"
            'Reference: Antonelli et al., "The Medical Segmentation Decathlon",\n'
            f"Nature Communications 13, 4128 (2022), {MSD_PAPER_LINK}"
        ),
    }


def _of_own(task: Task, own: OwnData) -> dict[str, Any]:
    sizes = [f"{len(training)} + {len(validation)}" for training, validation in own.folds]
    reference = own.reference or f"The dataset {own.title}; its dataset.json names no reference."
    if own.licence:
        licence = f"The dataset {own.title} states in its dataset.json the licence:\n{own.licence}"
    else:
        licence = (
            f"The dataset {own.title} states no licence in its dataset.json.\n"
            "Find out what its owner allows before you pass on the data, or weights trained on it."
        )
    return {
        "folds": "$@bundle_root + '/configs/folds.json'",
        "modality": "CT" if task.is_ct else ", ".join(dict.fromkeys(task.modalities)),
        "modality_text": "CT" if task.is_ct else ", ".join(dict.fromkeys(task.modalities)),
        "dataset_text": f"the dataset {own.title}",
        "data_section": (
            f"The dataset {own.title} (licence: {own.licence or 'not stated'}; see `data_license.txt`).\n"
            f"`configs/folds.json` lists {len(sizes)} folds, `--fold 0` to `--fold {len(sizes) - 1}`, with\n"
            f"{', '.join(sizes)} training + validation cases.\n"
            "`docs/plan.json` holds what was measured on the dataset, and the plan that follows from it."
        ),
        "statistics": "measured",
        "tested": "",
        "data_source": f"The dataset {own.title}",
        "data_reference": reference,
        "data_reference_lines": reference,
        "data_license": licence if not own.reference else f"{licence}\n\nReference: {own.reference}",
    }
