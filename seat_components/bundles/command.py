"""The words of ``python -m monai.bundle run``, for programs that run bundles as a person would."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def bundle_command(configs: Sequence[str], overrides: Mapping[str, object]) -> list[str]:
    """The command that runs ``configs`` (names without ``.json``), to be started in the bundle's folder."""
    files = [f"configs/{name}.json" for name in configs]
    words = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files)]
    for name, value in overrides.items():
        words += [f"--{name}", _text(value)]
    return [*words, "--logging_file", "configs/logging.conf"]


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | Path) else json.dumps(value)
