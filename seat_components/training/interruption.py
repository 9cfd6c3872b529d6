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

    The first SIGTERM or Ctrl-C asks for a stop. A second one ends the process at once, as it would have without this,
    but in a run of several processes: there ``torchrun`` hands a signal on that may have come from elsewhere too, and
    ends its processes itself after 30 s.

    Attributes:
        reason: why to stop, in words; None as long as nothing asks for it.
        signal: the signal that asked for it, here or in another process; None for any other reason.

    Raises:
        RefusalError: if ``after_minutes`` is not positive.
    """

    def __init__(self, after_minutes: float | None = None) -> None:
        if after_minutes is not None and not after_minutes > 0:
            refuse(f"stop_after_minutes is {after_minutes}, but it must be above 0 (or null for no limit)")
        self.after_minutes = after_minutes
        self.reason: str | None = None
        self.signal: signal.Signals | None = None
        self._deadline = float("inf")
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def start(self) -> None:
        """Start the clock and listen to signals (only the main thread can)."""
        self.reason = self.signal = None
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
        if self.signal is not None:
            return
        self.signal = signal.Signals(number)
        self.reason = self.signal.name
        alone = idist.get_world_size() == 1
        again = " Once more to stop at once." if alone else ""
        logger.warning(
            f"{self.reason}: stopping after this batch, or the validation under way, with a checkpoint.{again}"
        )
        if alone:
            self.end()

    def asked(self) -> bool:
        """Whether to stop; processes of one run agree (to be called by all of them)."""
        if self.reason is None and time.monotonic() >= self._deadline:
            self.reason = f"{self.after_minutes} minutes have passed"
        if idist.get_world_size() == 1:
            return self.reason is not None
        # 0 goes on, 1 stops, a larger number is that of the signal which stops: both are above 1.
        strongest = int(idist.all_reduce(int(self.signal or self.reason is not None), op="MAX"))
        if strongest > 1 and self.signal is None:
            self.signal = signal.Signals(strongest)
        if strongest:
            self.reason = self.reason or "another process stopped"
        return bool(strongest)
