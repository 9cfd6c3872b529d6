"""ROG's time and memory against its stock form: ``python -m seat_components.networks.benchmark --out FILE``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

from seat_components.networks.rog import MEMORY_MODES, ROG
from seat_components.networks.stock import StockROG

MIB = 2**20
LABELS = 3


@dataclass(frozen=True)
class Geometry:
    """A batch and the strides of the network that reads it."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[tuple[int, int, int], ...]


GEOMETRIES = (
    Geometry("Task04", (2, 1, 32, 48, 32), ((1, 1, 1), (1, 1, 1), (2, 2, 2))),
    Geometry("Task09", (1, 1, 96, 96, 48), ((2, 2, 1), (2, 2, 1), (2, 2, 2))),
)


@dataclass
class Figures:
    """Of one form of the network: the shortest time seen, in seconds, and the most memory in tensors, in bytes."""

    forward: float = float("inf")
    step: float = float("inf")
    peak: int = 0


def compare(geometry: Geometry, repeats: int, device: torch.device) -> dict[str, Figures]:
    """Figures of the stock form and of each memory mode.

    The forms take turns, so that other programs disturb all of them alike, and each form's shortest times count.
    """
    torch.manual_seed(0)
    network = ROG(geometry.shape[1], LABELS, geometry.strides).to(device)
    stock = StockROG(network, geometry.strides)
    image = torch.rand(geometry.shape, device=device)
    label = torch.randint(LABELS, (geometry.shape[0], *geometry.shape[2:]), device=device)
    figures = {name: Figures() for name in ("stock", *MEMORY_MODES)}
    for turn in tqdm(range(repeats + 1), desc=geometry.name):
        for name, result in figures.items():
            if name in MEMORY_MODES:
                network.memory = name
            form = stock if name == "stock" else network
            if turn == 0:
                result.peak = tensor_peak(lambda form=form: step(form, image, label), device)  # type: ignore[misc]
                continue
            result.forward = min(result.forward, seconds(lambda form=form: forward(form, image), device))  # type: ignore[misc]
            result.step = min(result.step, seconds(lambda form=form: step(form, image, label), device))  # type: ignore[misc]
    return figures


@torch.no_grad()
def forward(form: nn.Module, image: Tensor) -> None:
    """A prediction."""
    form(image)


def step(form: nn.Module, image: Tensor, label: Tensor) -> None:
    """The gradients of a training step under attack: of the weights and of the image."""
    form.zero_grad(set_to_none=True)
    attacked = image.detach().requires_grad_()
    nn.functional.cross_entropy(form(attacked), label).backward()


def seconds(work: Callable[[], None], device: torch.device) -> float:
    """Duration of ``work``."""
    synchronise(device)
    start = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def tensor_peak(work: Callable[[], None], device: torch.device) -> int:
    """Bytes that ``work`` held at most in tensors beside those there were before, from PyTorch's own allocator."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        work()
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def table(geometry: Geometry, figures: dict[str, Figures]) -> str:
    """The figures in Markdown; ratios to the stock form in brackets."""
    stock = figures["stock"]
    size = "×".join(map(str, geometry.shape))
    lines = [
        f"{geometry.name}, batch {size}",
        "",
        "| form | forward, s | step, s | tensor peak, MiB |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {result.forward:.3f} ({result.forward / stock.forward:.2f}) "
        f"| {result.step:.3f} ({result.step / stock.step:.2f}) "
        f"| {result.peak / MIB:.0f} ({result.peak / stock.peak:.2f}) |"
        for name, result in figures.items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--repeats", type=int, default=3, help="times that each form is timed (default 3)")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    arguments = parser.parse_args()
    tables = [table(geometry, compare(geometry, arguments.repeats, arguments.device)) for geometry in GEOMETRIES]
    text = "\n".join(
        [
            f"Written by `make bench`. ROG against its stock form, torch {torch.__version__}, {arguments.device}, "
            f"{torch.get_num_threads()} threads; shortest of {arguments.repeats} interleaved runs, "
            "ratio to the stock form in brackets. A step is a forward pass, the loss, and a backward pass to the "
            "weights and the image.\n",
            *tables,
        ]
    )
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
