"""What a result is a result of: the weights' hash, and the versions it was computed with."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

import monai
import numpy
import torch

import seat_components
from seat_components.refusals import refuse


def sha256(file: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        RefusalError: if there is no such file.
    """
    path = Path(file)
    if not path.is_file():
        refuse(
            f"There are no weights at {path}; not every bundle ships any. Train first: configs/train.json writes "
            "models/model.pt. Or name a file with --weights FILE."
        )
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions that may matter to a number."""
    return {
        "seat_components": seat_components.__version__,
        "monai": monai.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }


def data_description(dataset_dir: str | Path | None) -> str:
    """What a dataset's dataset.json says about the data; empty where there is none, or it says nothing."""
    file = None if dataset_dir is None else Path(dataset_dir) / "dataset.json"
    if file is None or not file.is_file():
        return ""
    content = json.loads(file.read_text(encoding="utf-8"))
    return " ".join(str(content.get(name, "")) for name in ("name", "description")).strip()
