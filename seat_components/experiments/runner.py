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
    for number, step in enumerate(steps, 1):
        if seconds[step.name] is not None:
            continue
        if deadline is not None and time.monotonic() >= deadline:
            return False
        print(f"[{number}/{len(steps)}] {step.name}: {remaining(steps, seconds)}", flush=True)
        start = time.monotonic()
        if not _execute(step, plan.bundle, deadline):
            print(f"Stopped in {step.name}. Give the same command again to go on.", flush=True)
            return False
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


def _execute(step: Step, bundle: Path, deadline: float | None) -> bool:
    """Run the step's command; False if it was stopped before its end."""
    step.prepare()
    stopped = False
    process = subprocess.Popen(step.words, cwd=bundle)  # noqa: S603 - our own words

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        # Ctrl-C reaches the run as well, which takes a second signal as "at once, without saving".
        if number != signal.SIGINT:
            process.terminate()

    # A run that gets SIGTERM saves its state and ends; waiting for that is what makes the next start exact.
    before: dict[int, Any] = {kind: signal.signal(kind, stop) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        while process.poll() is None:
            if deadline is not None and time.monotonic() >= deadline and not stopped:
                stop(signal.SIGTERM, None)
            try:
                process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                continue
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    if stopped:
        return False
    if process.returncode != 0:
        refuse(f"{step.name} ended with status {process.returncode}; the reason stands above")
    return True
