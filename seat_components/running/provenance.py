"""What a training came of, for its record: the command, its config, the code and the cases, each by a hash."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from seat_components.evaluation.identity import fingerprints, versions
from seat_components.running.command_line import given
from seat_components.running.config_check import config_of

# Where files lie says nothing about what is computed.
_PLACES = frozenset({"bundle_root", "cache_dir", "ckpt_dir", "dataset_dir", "output_dir", "pretrained"})


def provenance(cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Fields of ``RunDescription``: versions, the fingerprint of the cases; under ``monai.bundle run`` command, config.

    Args:
        cases: the training cases; their names, and the content of their files, make the fingerprint.
    """
    said: dict[str, Any] = {"versions": versions()}
    if cases:
        said |= {"training_cases": len(cases), "data_sha256": _hash(fingerprints(cases))}
    if (line := given()) is not None:
        config = config_of(line.files, line.values).get()
        said["command"] = shlex.join(["python", "-m", "monai.bundle", *sys.argv[1:]])
        said["config_sha256"] = _hash({name: value for name, value in config.items() if name not in _PLACES})
    return said


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
