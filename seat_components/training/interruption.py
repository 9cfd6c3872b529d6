"""Ending a run early without losing work: a time limit, SIGTERM, Ctrl-C."""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType

import ignite.distributed as idist

from seat_components.refusals import refuse

logger = logging.getLogger(__name__)


class StopRequest:
    """Whether training should stop at the next batch.

    Args:
        after_minutes: stop this long after ``start``; None never does.

    The first SIGTERM or Ctrl-C asks for a stop; a second one ends the process at once, as usual.

    Raises:
        RefusalError: if ``after_minutes`` is not positive.
    """

    def __init__(self, after_minutes: float | None = None) -> None:
        if after_minutes is not None and not after_minutes > 0:
            refuse(f"stop_after_minutes is {after_minutes}, but it must be above 0 (or null for no limit)")
        self.after_minutes = after_minutes
        self.reason: str | None = None
        self._deadline = float("inf")
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def start(self) -> None:
        """Start the clock and listen to signals (only the main thread can)."""
        self.reason = None
        if self.after_minutes is not None:
            self._deadline = time.monotonic() + 60 * self.after_minutes
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._on_signal)

    def end(self) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.reason = signal.Signals(number).name
        logger.warning(f"{self.reason}: stopping after this batch, with a checkpoint. Once more to stop at once.")
        self.end()

    def asked(self) -> bool:
        """Whether to stop; processes of one run agree (to be called by all of them)."""
        if self.reason is None and time.monotonic() >= self._deadline:
            self.reason = f"{self.after_minutes} minutes have passed"
        stop = self.reason is not None
        if idist.get_world_size() > 1:
            stop = bool(idist.all_reduce(int(stop), op="MAX"))
            self.reason = self.reason or ("another process stopped" if stop else None)
        return stop
