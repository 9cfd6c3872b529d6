"""How a run ends: statuses that scripts can rely on, and no traceback where a person or a batch system ends it.

Finished, or stopped by ``stop_after_minutes``: 0. Ctrl-C: 130. SIGTERM: 143. Anything that went wrong: 1.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

from ignite.engine import Engine

from seat_components.refusals import SignalExit, is_bundle_run
from seat_components.running.processes import leave_processes

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


def end_on_signals() -> None:
    """Let Ctrl-C and SIGTERM end this process with one line and their status, wherever it is.

    While a training runs, its checkpoint listens in their place (see ``StopRequest``).
    """
    if threading.current_thread() is threading.main_thread():
        for number in _NAMES:
            signal.signal(number, _end)


def end_training(trainer: Engine) -> None:
    """After the trainer's run: leave the other processes; end this one with a signal's status, if one has stopped it.

    Raises:
        SystemExit: if so, under ``python -m monai.bundle run``.
    """
    leave_processes()
    # MONAI's own trainer does not listen to signals.
    number: signal.Signals | None = getattr(trainer, "stopped_by", None)
    if number is not None and is_bundle_run():
        raise SystemExit(_status_of(number))


def _status_of(number: signal.Signals) -> int:
    """The status of a process that a signal has ended, as shells give it."""
    return 128 + number


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    name = _NAMES[signal.Signals(number)]
    print(f"\nEnded by {name}. Cases that are on record already will not be done again.", file=sys.stderr)
    raise SignalExit(_status_of(signal.Signals(number)))
