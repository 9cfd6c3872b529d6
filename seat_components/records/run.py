"""The record of a training as such, run.json: which bundle, method and data its other records belong to."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from seat_components.records.computed import ComputedRecord

FILE = "run.json"


class RunDescription(ComputedRecord):
    """What run.json says about a run, all optional; empty texts where it says nothing.

    Attributes:
        task: the dataset, e.g. ``Task04_Hippocampus``.
        method: SEAT, clean, random, FREE or PGD.
        val_images: what the validation during training saw: "clean", or an attack.
        label_names: names by label value.
        data: a remark on the data, e.g. that it is synthetic.
        ckpt_dir: where its weights are written.
        command: what was typed, where it was ``monai.bundle run``; ``config_sha256`` is of its config without places.
        training_cases: how many; ``data_sha256`` is of their names and files.
        versions: of the programs, by name.
    """

    model_config = ConfigDict(extra="allow")

    _order = ("bundle", "task", "method", "epochs", "val_images", "label_names", "data")

    bundle: str = ""
    task: str = ""
    method: str = ""
    epochs: int | None = None
    val_images: str = "clean"
    label_names: dict[str, str] = Field(default_factory=dict)
    data: str = ""
    ckpt_dir: str = ""
    command: str = ""
    config_sha256: str = ""
    training_cases: int | None = None
    data_sha256: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
