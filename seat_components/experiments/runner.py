"""Running a plan: step by step, skipping what is done, stoppable at any moment."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from types import FrameType
from typing import Any

from seat_components.experiments.plan import Plan
from seat_components.experiments.steps import Step, steps_of
from seat_components.refusals import refuse


def run_plan(plan: Plan, minutes: float | None = None) -> bool:
    """Do every step of ``plan`` that is not done yet.

    A step that is stopped, by Ctrl-C, SIGTERM, or because ``minutes`` are over, saves what it has; the same call goes
    on from there.

    Returns:
        Whether all steps are done.

    Raises:
        RefusalError: if a step fails, or an earlier one was done by another command than the plan's.
    """
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    steps = list(steps_of(plan))
    seconds = {step.name: step.seconds() for step in steps}
    with _Stop() as stop:
        for number, step in enumerate(steps, 1):
            # Asked anew: a training that was done again has changed the weights that a later step examined.
            if seconds[step.name] is not None and step.seconds() is not None:
                continue
            if deadline is not None and time.monotonic() >= deadline:
                return False
            print(f"[{number}/{len(steps)}] {step.name}: {remaining(steps, seconds)}", flush=True)
            start = time.monotonic()
            step.prepare()
            status = stop.run(step.words, plan.bundle, deadline)
            if status is None:
                print(f"Stopped in {step.name}. Give the same command again to go on.", flush=True)
                return False
            if status != 0:
                refuse(f"{step.name} ended with status {status}; the reason stands above")
            seconds[step.name] = time.monotonic() - start
            step.finish(time.monotonic() - start)
    return True


def remaining(steps: Sequence[Step], seconds: dict[str, float | None]) -> str:
    """What is still to do, in words, from how long steps of the same kind took.

    A training's time is taken per epoch, whatever its method, so this is a rough guess.
    """
    per_kind: dict[str, list[float]] = defaultdict(list)
    for step in steps:
        took = seconds[step.name]
        if took is not None:
            per_kind[step.kind].append(took / (step.epochs or 1))
    left = [step for step in steps if seconds[step.name] is None]
    known = [mean(per_kind[step.kind]) * (step.epochs or 1) for step in left if step.kind in per_kind]
    text = f"{len(left)} steps left"
    if not known:
        return text
    hours, rest = divmod(round(sum(known) / 60), 60)
    guess = f"about {hours} h {rest} min" if hours else f"about {rest} min"
    return f"{text}, {guess if len(known) == len(left) else 'at least ' + guess}"


class _Stop:
    """Ctrl-C and SIGTERM, from the first step to the last: the running step saves what it has, and no other goes on."""

    def __init__(self) -> None:
        self.asked = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> _Stop:
        self._before: dict[int, Any] = {
            kind: signal.signal(kind, self._on_signal) for kind in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_error: object) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.asked = True
        # Ctrl-C reaches the step as well, which takes a second signal as "at once, without saving".
        if number != signal.SIGINT and self._process is not None:
            self._process.terminate()

    def run(self, words: Sequence[str], folder: Path, deadline: float | None) -> int | None:
        """The status the command in ``folder`` ended with; None if it was stopped."""
        with subprocess.Popen(words, cwd=folder) as process:  # noqa: S603 - our own words
            self._process = process
            if self.asked:  # by a signal that came while there was no process yet to end
                process.terminate()
            # A run that gets SIGTERM saves its state and ends; waiting for that is what makes the next start exact.
            while process.poll() is None:
                if deadline is not None and time.monotonic() >= deadline and not self.asked:
                    self._on_signal(signal.SIGTERM, None)
                try:
                    process.wait(timeout=0.5)
                except subprocess.TimeoutExpired:
                    continue
        self._process = None
        return None if self.asked else process.returncode
