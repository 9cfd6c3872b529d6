"""Kill runs at random moments, go on, and compare with runs that nothing has disturbed: ``make kills``.

Training, evaluations of every kind and experiment, with 0 and 2 loader workers, with and without a cache on disk. Every
run of the same kind must end with the same files as the undisturbed one, bit for bit, times and file positions left
out.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import runpy
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bundle_runs import UNET

from seat_components.bundles.render import write_bundle
from seat_components.data import write_phantom
from seat_components.tasks import load_task

SMALL = {"network_def": UNET, "patch_size": [16, 16, 16], "val_patch_size": [16, 16, 16], "batch_size": 2}
TRAIN = {"epochs": 5, "update_every": 1, "val_interval": 2}
ATTACK = {"attack_eps_255": [8], "steps": 2}
CERTIFY = {"confirmation_draws": 30, "radii": [0.1]}
# What depends on when and where something ran, and on nothing else.
OTHER_EACH_TIME = frozenset({"seconds", "cost", "versions"})


@dataclass(frozen=True)
class Kind:
    """One kind of run: the words of its program, how it goes on, and which files to compare."""

    name: str
    module: str
    first: list[str]
    again: list[str]
    files: tuple[str, ...]
    workers: str


@dataclass
class Tally:
    """What has happened to one kind."""

    kills: int = 0
    completed: int = 0
    different: list[str] = field(default_factory=list)


def start(module: str, words: list[str], folder: Path, log: Path) -> int:
    """Run ``python -m module words`` in ``folder`` as a process group of its own; gives its number.

    A fork of this process, which has all libraries loaded: the kills then come while a run works, not while it starts.
    """
    process = os.fork()
    if process:
        return process
    try:
        os.setsid()
        os.chdir(folder)
        with log.open("a") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        sys.argv = [module, *words]
        status = 0
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        # As at any exit of Python: loader workers are ended by what is registered.
        import atexit  # noqa: PLC0415

        atexit._run_exitfuncs()
        os._exit(status or 0)
    except BaseException:
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        os._exit(1)


def ended(process: int, seconds: float | None) -> int | None:
    """The status of ``process``; None if it still runs after ``seconds``."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        number, status = os.waitpid(process, os.WNOHANG if deadline is not None else 0)
        if number:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() > deadline:
            return None
        time.sleep(0.01)


def content(file: Path) -> Any:
    """What a file holds, in a form to compare."""
    if file.suffix == ".pt":
        return plain(torch.load(file, weights_only=True))
    if file.suffix == ".json":
        return plain(json.loads(file.read_text()))
    if file.suffix == ".npz":
        with np.load(file) as arrays:
            return {name: array.tobytes() for name, array in arrays.items()}
    if file.suffix == ".csv":
        with file.open() as stream:
            return [plain(row) for row in csv.DictReader(stream)]
    return file.read_bytes()


def plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return (value.dtype, tuple(value.shape), value.contiguous().numpy().tobytes())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in OTHER_EACH_TIME}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def results(folder: Path, patterns: tuple[str, ...]) -> dict[str, Any]:
    return {str(file.relative_to(folder)): content(file) for pattern in patterns for file in folder.glob(pattern)}


def options(values: dict[str, Any]) -> list[str]:
    return [
        word
        for name, value in values.items()
        for word in (f"--{name}", json.dumps(value) if isinstance(value, dict | list) else str(value))
    ]


def bundle_words(configs: list[str], **values: Any) -> list[str]:
    return ["run", "--config_file", str([f"configs/{name}.json" for name in configs]), *options({**SMALL, **values})]


def kinds(data: Path, weights: Path, plan: Path) -> list[Kind]:
    """All kinds; ``OUT`` among their words stands for the run's folder, ``CACHE`` for one in it."""
    made = []
    for workers in (0, 2):
        for cache in ({}, {"cache_dir": "CACHE"}):
            values = {"dataset_dir": data, "ckpt_dir": "OUT", "output_dir": "OUT", **TRAIN, **cache}
            values["num_workers"] = workers
            name = f"training, {workers} workers, {'with' if cache else 'without'} cache_dir"
            files = ("training_checkpoint.pt", "model*.pt", "training_history.csv")
            again = bundle_words(["train", "resume"], **values)
            made.append(Kind(name, "monai.bundle", bundle_words(["train"], **values), again, files, str(workers)))
    common = {"dataset_dir": data, "output_dir": "OUT", "weights": weights}
    for workers in (0, 2):
        loading = {"validate#dataloader#num_workers": workers}
        words = bundle_words(["train", "evaluate"], **common, **loading)
        files = ("metrics.json", "metrics.csv")
        made.append(Kind(f"evaluation, {workers} workers", "monai.bundle", words, words, files, str(workers)))
        words = bundle_words(["train", "attack"], **common, **loading, **ATTACK)
        files = ("robustness.json", "robustness.csv", "slices/*.npz")
        made.append(Kind(f"attack, {workers} workers", "monai.bundle", words, words, files, str(workers)))
    words = bundle_words(["train", "corrupt"], **common)
    files = ("corruptions.json", "corruptions.csv")
    made.append(Kind("corruptions", "monai.bundle", words, words, files, "0"))
    words = bundle_words(["train", "certify"], **common, **CERTIFY)
    files = ("certificate.json", "certificate.csv", "certified/*/*.nii.gz")
    made.append(Kind("certificate", "monai.bundle", words, words, files, "0"))
    words = ["experiment", "--plan", str(plan), "--out", "OUT"]
    files = ("**/*.pt", "**/training_history.csv", "**/metrics.json", "**/robustness.json", "**/slices/*.npz")
    made.append(Kind("experiment", "seat_components", words, words, files, "2"))
    return made


def disturb(
    kind: Kind, bundle: Path, folder: Path, seconds: float, kills: int, chance: random.Random, tally: Tally
) -> None:
    """Start the run, kill it up to ``kills`` times, each time at a random moment, and let it end."""
    log = folder / "log.txt"
    words = kind.first
    for _ in range(kills):
        process = start(kind.module, filled(words, folder), bundle, log)
        status = ended(process, chance.uniform(0, 0.8 * seconds))
        if status is not None:
            if status:
                raise SystemExit(f"{kind.name} ended with status {status}:\n{log.read_text()[-3000:]}")
            break
        # The whole group, or the run alone, whose loader workers then notice.
        if chance.random() < 0.5 and kind.name != "experiment":
            os.kill(process, signal.SIGKILL)
        else:
            os.killpg(process, signal.SIGKILL)
        ended(process, None)
        tally.kills += 1
        words = kind.again
    process = start(kind.module, filled(kind.again if words is kind.again else words, folder), bundle, log)
    if status := ended(process, None):
        raise SystemExit(f"{kind.name} ended with status {status}:\n{log.read_text()[-3000:]}")
    tally.completed += 1


def filled(words: list[str], folder: Path) -> list[str]:
    return [{"OUT": str(folder / "out"), "CACHE": str(folder / "cache")}.get(word, word) for word in words]


def write_plan(file: Path, bundle: Path, data: Path) -> Path:
    plan = {
        "title": "Kills",
        "bundle": str(bundle),
        "dataset_dir": str(data),
        "out": str(file.parent / "out"),
        "seeds": [0],
        "common": SMALL,
        "train": {**TRAIN, "epochs": 2},
        "attacks": {"quick": {**ATTACK, "protocol": "quick"}},
        "runs": {"clean": {"overlays": ["clean"]}, "seat": {}},
    }
    file.write_text(json.dumps(plan))
    return file


def main(say: Callable[[str], None] = print) -> int:
    """Kill until there are enough; gives the number of runs that ended otherwise than the undisturbed one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="at least so many, shared out evenly (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (%(default)s)")
    parser.add_argument("--only", default="", help="only kinds whose name has this in it")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    chance = random.Random(chosen.seed)  # noqa: S311 - moments, not secrets
    root = Path(tempfile.mkdtemp(prefix="kills-"))
    data = root / "Task04_Hippocampus"
    write_phantom(load_task("Task04_Hippocampus"), data, cases=(4, 4))
    bundle = write_bundle("Task04_Hippocampus", root / "bundles")
    torch.manual_seed(0)
    from monai.networks.nets import UNet  # noqa: PLC0415

    weights = root / "weights.pt"
    torch.save(UNet(**{name: value for name, value in UNET.items() if name != "_target_"}).state_dict(), weights)
    todo = [
        kind for kind in kinds(data, weights, write_plan(root / "plan.json", bundle, data)) if chosen.only in kind.name
    ]
    tallies = {kind.name: Tally() for kind in todo}
    share = -(-chosen.kills // len(todo))
    for kind in todo:
        tally = tallies[kind.name]
        whole = root / kind.name.replace(", ", "-").replace(" ", "_") / "undisturbed"
        whole.mkdir(parents=True)
        began = time.monotonic()
        disturb(kind, bundle, whole, 1e9, 0, chance, Tally())
        seconds = time.monotonic() - began
        wanted = results(whole / "out", kind.files)
        if not wanted:
            raise SystemExit(f"{kind.name} has left none of {kind.files} in {whole / 'out'}")
        while tally.kills < share:
            folder = whole.with_name(f"disturbed{tally.completed}")
            folder.mkdir()
            disturb(kind, bundle, folder, seconds, min(5, share - tally.kills), chance, tally)
            found = results(folder / "out", kind.files)
            wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
            parts = [str(file) for file in (folder / "out").rglob("*.part")]
            if wrong or parts:
                tally.different.append(f"{folder}: {', '.join([*wrong, *parts])}")
            else:
                shutil.rmtree(folder)
        say(
            f"{kind.name}: {tally.kills} kills, {tally.completed} runs, {len(tally.different)} different",
        )
    different = [line for tally in tallies.values() for line in tally.different]
    kills = sum(tally.kills for tally in tallies.values())
    runs = sum(tally.completed for tally in tallies.values())
    say(f"{kills} kills in {runs} runs; ended otherwise than the undisturbed run: {len(different)}")
    for line in different:
        say(f"  {line}")
    if not different:
        shutil.rmtree(root)
    return len(different)


if __name__ == "__main__":
    sys.exit(bool(main()))
