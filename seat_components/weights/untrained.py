"""Seeded, untrained weights, to try a bundle where none are shipped; and saying so wherever they are used."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import torch

from seat_components.evaluation.identity import sha256
from seat_components.files import is_file, is_there, read_json_object, write_text_atomically
from seat_components.refusals import refuse
from seat_components.torch_file import save_atomically
from seat_components.weights.bundle import network_of

logger = logging.getLogger(__name__)

# Beside the weights: name → SHA-256. A file that training has replaced since is another file, and not listed.
_RECORD = "untrained.json"
NOTICE = "UNTRAINED.txt"


def init_weights(bundle: Path, seed: int = 0) -> Path:
    """Write untrained weights as the bundle's ``models/model.pt``; one seed gives the same numbers everywhere.

    Args:
        bundle: the bundle's folder.
        seed: of the weights.

    Returns:
        The file.

    Raises:
        RefusalError: if there are trained weights already.
    """
    file = bundle / "models" / "model.pt"
    if file.exists() and not is_untrained(file):
        refuse(f"{file} exists, and was not written by this command: it is not overwritten. Move it away first.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = network_of(bundle).state_dict()
    save_atomically(weights, file)
    write_text_atomically(json.dumps({file.name: sha256(file)}, indent=1) + "\n", file.parent / _RECORD)
    return file


def is_untrained(file: str | Path) -> bool:
    """Whether ``file`` is, to the byte, what ``init_weights`` wrote."""
    path = Path(file)
    record = path.parent / _RECORD
    if not (is_file(path) and is_there(record)):
        return False
    known = read_json_object(record, "Remove it, if these weights were trained.")
    return bool(known.get(path.name) == sha256(path))


def notice_untrained(weights: str | Path, output_dir: str | Path) -> None:
    """Where ``weights`` are untrained: warn, and leave a note beside the masks; remove it where they are not."""
    note = Path(output_dir) / NOTICE
    if not is_untrained(weights):
        note.unlink(missing_ok=True)
        return
    text = f"{weights} is untrained (seeded random weights): these masks show that the bundle works, and nothing else."
    logger.warning(text)
    write_text_atomically(text + "\n", note)
