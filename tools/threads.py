"""What OpenMP's settings cost a training step, alone and beside another program: ``python -m tools.threads``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from statistics import median

import torch
from tqdm import tqdm

from seat_components.networks.rog import ROG
from tools.benchmark import GEOMETRIES
from tools.measure import seconds
from tools.work import LABELS, random_batch, step

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
    "OMP_NUM_THREADS=1": {"OMP_NUM_THREADS": "1"},
}
ENDLESS = 0
_PROGRAM = (sys.executable, "-m", "tools.threads", "--steps")


def steps(number: int) -> Iterator[float]:
    """The seconds of each of ``number`` steps of ROG on one patch of Task04, after one that is not counted."""
    geometry, device = GEOMETRIES[0], torch.device("cpu")
    network, batch = ROG(geometry.shape[1], LABELS, geometry.strides), random_batch(geometry, device)
    step(network, batch)
    for _ in count() if number == ENDLESS else range(number):
        yield seconds(lambda: step(network, batch), device)


def measure(setting: Mapping[str, str], number: int) -> float:
    """The median seconds of a step in a process of its own, as OpenMP reads its settings when it starts."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    words = (*_PROGRAM, str(number))
    done = subprocess.run(words, env={**environment, **setting}, capture_output=True, text=True, check=True)
    return median(float(line) for line in done.stdout.split())


@contextmanager
def neighbour() -> Iterator[None]:
    """Another program that keeps one core busy, with steps of its own on one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen((*_PROGRAM, str(ENDLESS)), env=environment, stdout=subprocess.PIPE) as process:
        try:
            # It is busy from its first step on.
            if process.stdout is not None:
                process.stdout.readline()
            # What it goes on to say fills no pipe before it is ended: a line is 6 bytes, a step most of a second.
            yield
        finally:
            process.kill()


def table(alone: Mapping[str, float], beside: Mapping[str, float]) -> str:
    """Both columns in Markdown, each with its ratio to the default setting's step alone."""
    yardstick = alone["default"]

    def cell(value: float) -> str:
        return f"{value:.2f} s ({value / yardstick:.1f})"

    lines = ["| set before the command | nothing else runs | one core is busy |", "|---|---|---|"]
    lines += [f"| {name} | {cell(alone[name])} | {cell(beside[name])} |" for name in alone]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each setting, alone and beside a neighbour, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.threads", description=__doc__)
    parser.add_argument("--repeats", type=int, default=12, help="steps that each figure is the median of")
    parser.add_argument("--steps", type=int, help=argparse.SUPPRESS)  # what the processes that are measured do
    options = parser.parse_args(arguments)
    if options.steps is not None:
        for took in steps(options.steps):
            print(f"{took:.4f}", flush=True)
        return
    with tqdm(total=2 * len(SETTINGS), desc="Settings") as bar:

        def column() -> dict[str, float]:
            figures = {}
            for name, setting in SETTINGS.items():
                figures[name] = measure(setting, options.repeats)
                bar.update()
            return figures

        alone = column()
        with neighbour():
            beside = column()
    print(table(alone, beside))


if __name__ == "__main__":
    main()
