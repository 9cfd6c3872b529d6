"""What a training came of, for its record: the command, its config, the code and the cases, each by a hash."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import ignite.distributed as idist
from monai.bundle import ReferenceResolver

from seat_components.evaluation.identity import fingerprints, versions
from seat_components.running.command_line import given
from seat_components.running.config_check import config_of

# Where files lie says nothing about what is computed.
_PACE = frozenset({"sw_batch_size", "sw_device", "device", "progress", "buffer_steps", "buffer_dim", "cpu_thresh"})
_PLACES = frozenset({"bundle_root", "cache_dir", "ckpt_dir", "dataset_dir", "output_dir", "pretrained"})


def cases_sha256(cases: Sequence[Mapping[str, Any]]) -> str:
    """A hash of the cases of a datalist, of their names and the content of their files; empty without any.

    Also empty on all processes of a run but the first: large files take time to read.
    """
    return _hash(fingerprints(cases)) if cases and idist.get_rank() == 0 else ""


def provenance() -> dict[str, Any]:
    """Fields of ``RunDescription``: versions, and, under ``monai.bundle run``, the command and its config's hash."""
    said: dict[str, Any] = {"versions": versions()}
    if (line := given()) is not None:
        config = config_of(line.files, line.values).get()
        said["command"] = shlex.join(["python", "-m", "monai.bundle", *sys.argv[1:]])
        said["config_sha256"] = _hash({name: value for name, value in config.items() if name not in _PLACES})
    return said


def setup_sha256(*ids: str) -> str:
    """A hash of what the config of ``monai.bundle run`` says under these ids, and under all that they refer to.

    What only decides where and how fast something is computed is left out. Empty in any other program.

    Args:
        ids: of the parts that decide what an evaluation comes to, such as ``validate#preprocessing``.
    """
    if (line := given()) is None:
        return ""
    config = config_of(line.files, line.values)
    said: dict[str, Any] = {}
    left = list(ids)
    while left:
        if (name := left.pop()) in said or name not in config:
            continue
        said[name] = _without(config[name], _PACE)
        left += _referred(said[name])
    return _hash(said)


def _without(content: Any, names: frozenset[str]) -> Any:
    if isinstance(content, dict):
        return {name: _without(value, names) for name, value in content.items() if name not in names}
    return [_without(value, names) for value in content] if isinstance(content, list) else content


def _referred(content: Any) -> set[str]:
    """The ids that a part of a config refers to."""
    if isinstance(content, dict | list):
        values = content.values() if isinstance(content, dict) else content
        return set().union(*map(_referred, values))
    return ReferenceResolver.match_refs_pattern(content).keys() if isinstance(content, str) else set()


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
