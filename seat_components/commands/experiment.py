"""The command ``experiment``: the runs of a plan."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from seat_components.commands.command import Command, minutes, path
from seat_components.refusals import refuse


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plan", required=True, type=path, help="a JSON file; see docs/experiments.md")
    parser.add_argument("--dataset", type=path, help="MSD folder (the plan's dataset_dir)")
    parser.add_argument("--out", type=path, help="folder of the runs (the plan's)")
    parser.add_argument("--results", type=path, help="Markdown page to write (results.md among the runs)")
    parser.add_argument("--minutes", type=minutes, help="stop after this time; the next call goes on")
    parser.add_argument("--results-only", action="store_true", help="only write the page again")


def _run(options: argparse.Namespace) -> None:
    from seat_components.experiments import read_plan, run_plan, write_results

    plan = read_plan(options.plan, options.dataset, options.out)
    if find_spec("matplotlib") is None:
        refuse("the results page has figures, which need matplotlib: pip install 'seat-components[report]'")
    done = options.results_only or run_plan(plan, options.minutes)
    page = options.results or plan.out / "results.md"
    given = {"plan": options.plan, "dataset": options.dataset, "out": options.out, "results": options.results}
    words = [f"--{name} {value}" for name, value in given.items() if value is not None]
    print(write_results(plan, page, f"python -m seat_components experiment {' '.join(words)}"))
    if not done:
        print("The experiment is not finished. Give the same command again to go on.")


EXPERIMENT_COMMAND = Command("do the runs of a plan that are not done, and compare them", _options, _run)
