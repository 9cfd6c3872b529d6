"""What a reader notices about a file that it can use all the same: said once, and kept for the records."""

from __future__ import annotations

import logging
from pathlib import Path

logger = logging.getLogger(__name__)

_SAID: dict[tuple[str, int], list[str]] = {}


def notice(file: str | Path, remark: str) -> None:
    """Warn about ``file``; a file is read several times in a run, and a remark on it is made once."""
    said = _SAID.setdefault(_identity(file), [])
    if remark not in said:
        said.append(remark)
        logger.warning(f"{file}: {remark}")


def notices(file: str | Path) -> list[str]:
    """The remarks on ``file`` as it is now, in the order in which they were made."""
    return list(_SAID.get(_identity(file), ()))


def _identity(file: str | Path) -> tuple[str, int]:
    path = Path(file)
    return str(path), path.stat().st_mtime_ns if path.exists() else 0
