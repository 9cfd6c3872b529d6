"""What the commands ``plan`` and ``new-bundle`` do."""

from __future__ import annotations

from pathlib import Path

from seat_components.files import write_text_atomically
from seat_components.planning.dataset import read_description
from seat_components.planning.fingerprint import measure_dataset
from seat_components.planning.new_bundle import check_name, new_bundle
from seat_components.planning.plan import Plan, make_plan
from seat_components.refusals import refuse


def plan_dataset(dataset_dir: str | Path, workers: int | None = None) -> Plan:
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
