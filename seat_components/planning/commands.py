"""The commands ``plan`` and ``new-bundle``, and the bundle for a planned dataset, from the template of the ten."""

from __future__ import annotations

import keyword
from pathlib import Path
from tempfile import TemporaryDirectory

from seat_components.bundles.render import write_bundle
from seat_components.files import write_text_atomically
from seat_components.planning.dataset import read_description
from seat_components.planning.fingerprint import measure_dataset
from seat_components.planning.patches import LONGEST_LAST_AXIS
from seat_components.planning.plan import BundlePlan, make_plan
from seat_components.refusals import refuse
from seat_components.tasks import Task, all_tasks
from seat_components.tasks.folds import folds_json, make_folds
from seat_components.tasks.table import OwnData


def new_bundle(plan: BundlePlan, name: str, out: str | Path) -> Path:
    """Write the bundle ``name`` for a planned dataset below ``out``, all of it or nothing.

    It has every file that the ten bundles have, ``configs/folds.json`` with five folds, and ``docs/plan.json``; no
    weights.

    Returns:
        the bundle's folder.

    Raises:
        RefusalError: if the name will not do, or the folder exists (see ``check_name``).
    """
    folder = check_name(name, out)
    task = _as_task(plan, name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{name}_") as unfinished:
        written = write_bundle(task, unfinished)
        (written / "configs" / "folds.json").write_text(folds_json(make_folds(plan.dataset.cases)), encoding="utf-8")
        (written / "docs" / "plan.json").write_text(plan.to_json(), encoding="utf-8")
        written.rename(folder)
    return folder


def check_name(name: str, out: str | Path) -> Path:
    """The folder of a new bundle ``name`` below ``out``, which does not exist yet.

    Raises:
        RefusalError: if the name is not a Python name of ASCII characters, or is one of the ten's, or if there is
            such a folder already.
    """
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name) or name.startswith("_"):
        refuse(
            f"'{name}' cannot be the name of a bundle: take a letter, then letters, digits and underscores, such as "
            "abdomen_ct."
        )
    if name in {known for task in all_tasks() for known in (task.name, task.bundle)}:
        refuse(f"'{name}' is one of the ten published tasks: name the bundle for your data otherwise.")
    folder = Path(out) / name
    if folder.exists():
        refuse(f"{folder} exists: nothing is overwritten. Take another --name or --out, or remove it.")
    return folder


def _as_task(plan: BundlePlan, name: str) -> Task:
    dataset, fingerprint, patches = plan.dataset, plan.fingerprint, plan.patches
    return Task(
        name=name,
        bundle=name,
        modalities=dataset.modalities,
        labels=dataset.labels,
        spacing=fingerprint.spacing,
        median_size=(*fingerprint.median_size[:2], min(fingerprint.median_size[2], LONGEST_LAST_AXIS)),
        p0_5=fingerprint.p0_5,
        p99_5=fingerprint.p99_5,
        mean=fingerprint.mean,
        std=fingerprint.std,
        strides=patches.strides,
        train_patch=patches.train,
        sampling_patch=patches.sampling,
        val_patch=patches.val,
        batch_size=plan.batch_size,
        own=OwnData(dataset.title, dataset.licence, dataset.reference, make_folds(dataset.cases)),
    )


def plan_dataset(dataset_dir: str | Path, workers: int | None = None) -> BundlePlan:
    """Measure an MSD folder and plan for it."""
    dataset = read_description(dataset_dir)
    return make_plan(dataset, measure_dataset(dataset, workers))


def write_plan(dataset_dir: str | Path, out: Path | None = None, workers: int | None = None) -> None:
    """Print the plan of an MSD folder, or write it to the file ``out``.

    Raises:
        RefusalError: if ``out`` is a folder, before anything is measured; and as ``measure_dataset``.
    """
    if out is not None and out.is_dir():
        refuse(f"{out} is a folder, but --out must name a file, such as {out / 'plan.json'}.")
    text = plan_dataset(dataset_dir, workers).to_json()
    if out is None:
        print(text, end="")
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(text, out)
    print(out)


def write_new_bundle(dataset_dir: str | Path, name: str, out: Path, workers: int | None = None) -> None:
    """Plan for an MSD folder, write the bundle ``name`` below ``out``, and print its folder.

    Raises:
        RefusalError: for a name that will not do, before anything is measured; and as ``measure_dataset``.
    """
    check_name(name, out)
    print(new_bundle(plan_dataset(dataset_dir, workers), name, out))
