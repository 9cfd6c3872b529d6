"""``python -m tools.benchmark``: measure, print and write the tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch
from monai.utils import set_determinism
from torch import nn
from tqdm import tqdm

from seat_components.networks.rog import MEMORY_MODES, ROG
from tools.measure import bandwidth, operator_table, seconds, tensor_peak, traffic
from tools.stock_rog import StockROG
from tools.work import LABELS, LOOPS, WORK, Batch, Geometry, random_batch, step

MIB = 2**20
T04 = ((1, 1, 1), (1, 1, 1), (2, 2, 2))
T09 = ((2, 2, 1), (2, 2, 1), (2, 2, 2))
GEOMETRIES = tuple(
    Geometry(name, (batch, *shape), strides)
    for name, shape, strides in (
        ("Strides of Task04", (1, 32, 48, 32), T04),
        ("Strides of Task09", (1, 96, 96, 48), T09),
        ("Two channels, strides of Task09", (2, 96, 96, 48), T09),
    )
    for batch in (1, 4)
)
STOCK = "stock"
SHIPPED_ON_GPUS = "default, stock operators"
# The network's forms: memory mode and operators.
FORMS = {**{mode: (mode, "fast") for mode in MEMORY_MODES}, SHIPPED_ON_GPUS: ("default", "stock")}
# Whole loops cost many steps each: they are timed for these forms only.
LOOPED = (STOCK, "default", SHIPPED_ON_GPUS)


class Contest:
    """The forms that a device may run on a batch, the stock one as yardstick, all with the same weights."""

    def __init__(self, geometry: Geometry, device: torch.device, amp: bool) -> None:
        torch.manual_seed(0)
        self.network = ROG(geometry.shape[1], LABELS, geometry.strides).to(device)
        self.stock = StockROG(self.network, geometry.strides)
        self.batch = random_batch(geometry, device, amp)
        self.names = [STOCK, *(name for name in FORMS if name != SHIPPED_ON_GPUS or device.type == "cuda")]

    def choose(self, name: str) -> nn.Module:
        """The form ``name``, until the next one is chosen."""
        if name == STOCK:
            return self.stock
        self.network.memory, self.network.operators = FORMS[name]
        return self.network


class Figures:
    """Of one form of the network: the times seen, in seconds by kind of work, and the peak and traffic, in bytes."""

    def __init__(self, peak: int, moved: int) -> None:
        self.times: dict[str, list[float]] = {name: [] for name in WORK}
        self.peak = peak
        self.moved = moved


def compare(geometry: Geometry, repeats: int, device: torch.device, amp: bool) -> dict[str, Figures]:
    """Figures of the stock form and of each form of the network.

    The forms take turns, so that other programs disturb all of them alike.
    """
    contest = Contest(geometry, device, amp)
    batch = contest.batch
    figures = {name: _memory(contest.choose(name), batch, device) for name in contest.names}
    with tqdm(total=repeats * len(figures) * len(WORK), desc=f"{geometry.name}, batch {geometry.shape[0]}") as bar:
        for _ in range(repeats):
            for kind, work in WORK.items():
                for name, result in figures.items():
                    if kind in LOOPS and name not in LOOPED:
                        bar.update()
                        continue
                    form = contest.choose(name)
                    result.times[kind].append(seconds(lambda form=form, work=work: work(form, batch), device))  # type: ignore[misc]
                    bar.update()
    return figures


def _memory(form: nn.Module, batch: Batch, device: torch.device) -> Figures:
    step(form, batch)
    return Figures(tensor_peak(lambda: step(form, batch), device), traffic(lambda: step(form, batch)))


def profiles(geometry: Geometry, device: torch.device, amp: bool) -> str:
    """The operators of a step of each form."""
    contest = Contest(geometry, device, amp)
    parts = [f"{geometry.name}, batch {'×'.join(map(str, geometry.shape))}"]
    for name in contest.names:
        form = contest.choose(name)
        parts += [name, operator_table(lambda form=form: step(form, contest.batch), device)]  # type: ignore[misc]
    return "\n".join(parts)


def table(geometry: Geometry, figures: dict[str, Figures], speed: float, device: torch.device) -> str:
    """The figures in Markdown; ``speed`` is the device's bandwidth in bytes per second."""
    unit, factor = ("ms", 1e3) if device.type == "cuda" else ("s", 1)
    header = [*(f"{kind}, {unit}" for kind in WORK), "tensor peak, MiB", "step's memory floor"]
    stock = figures[STOCK]
    lines = [
        f"## {geometry.name}, batch {'×'.join(map(str, geometry.shape))}",
        "",
        f"| form | {' | '.join(header)} |",
        "|---" * (len(header) + 1) + "|",
    ]
    for name, result in figures.items():
        cells = [_times(result.times[kind], stock.times[kind], factor) for kind in WORK]
        cells.append(f"{result.peak / MIB:.0f} ({result.peak / stock.peak:.2f})")
        cells.append(f"{result.moved / 2**30:.1f} GiB, {result.moved / speed / min(result.times['step']):.0%}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _times(times: Sequence[float], stock: Sequence[float], factor: float) -> str:
    if not times:
        return "–"
    shortest, middle = min(times), median(times)
    return f"{shortest * factor:.3g} ({shortest / min(stock):.2f}; median {middle / median(stock):.2f})"


def text(arguments: argparse.Namespace) -> str:
    """The whole page, or the operators of a step."""
    device, amp = arguments.device, arguments.amp
    # As a bundle does: kernels that give the same result in each run.
    set_determinism(seed=0)
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    precision = "float16 autocast with a loss scale" if amp else "float32"
    chosen = [geometry for geometry in GEOMETRIES if arguments.batch in (None, geometry.shape[0])]
    if arguments.batch is not None and not chosen:
        shapes = {geometry.name: geometry for geometry in GEOMETRIES}
        chosen = [Geometry(g.name, (arguments.batch, *g.shape[1:]), g.strides) for g in shapes.values()]
    if arguments.profile:
        return "\n".join(profiles(geometry, device, amp) for geometry in chosen)
    speed = bandwidth(device)
    tables = [table(g, compare(g, arguments.repeats, device, amp), speed, device) for g in chosen]
    return "\n".join(
        [
            "# Time and memory of ROG\n",
            f"Written by `python -m tools.benchmark --repeats {arguments.repeats}` (`make bench`). "
            "ROG against its stock form (NCDHW, stock operators): "
            f"torch {torch.__version__}, {kind}, {precision}, deterministic kernels; shortest of {arguments.repeats} "
            "interleaved runs. In brackets the ratio to the stock form, of the shortest times and of the medians.\n",
            "A step is a forward pass, the loss, and a backward pass to weights and image. Its memory floor: "
            "the bytes that its operators move, and the share of its time that moving them takes "
            f"at the {speed / 1e9:.0f} GB/s of a plain copy here (above 100 % where caches help).\n",
            *tables,
        ]
    )


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m tools.benchmark", description=__doc__)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--repeats", type=int, default=2, help="times that each form is timed (%(default)s)")
    parser.add_argument("--batch", type=int, help="only this batch size (1 and 4)")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--amp", action="store_true", help="float16 for all forms, as bundles train on a GPU")
    parser.add_argument("--profile", action="store_true", help="print the operators of a step of each form instead")
    arguments = parser.parse_args()
    page = text(arguments)
    print(page)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(page)


if __name__ == "__main__":
    main()
