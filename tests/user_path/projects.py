"""A copy of the project's folder, with the environment that ``make`` would make, for commands that write into it."""

import shutil
import sys
from pathlib import Path

from shown_commands import ROOT

_MADE = (".git", ".venv*", "runs", "dist", "build", "__pycache__", ".*_cache", "*.egg-info")


def project_copy(folder):
    """The copy in ``folder``; its .venv leads to this environment, which needs no network any more."""
    project = shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_MADE), symlinks=True)
    (project / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        (project / ".venv" / entry.name).symlink_to(entry)
    ready = project / ".venv" / ".ready"
    ready.unlink(missing_ok=True)
    ready.touch()
    return project
