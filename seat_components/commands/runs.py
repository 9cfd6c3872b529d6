"""Commands about many runs: the demonstration, the runs of a plan, and the report of any."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from seat_components.commands.command import Command, minutes, path, whole_number
from seat_components.refusals import refuse


def _demo_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", required=True, type=path)
    parser.add_argument("--out", required=True, type=path)
    parser.add_argument("--data", type=path, help="an MSD task folder (phantoms)")
    parser.add_argument("--epochs", type=whole_number(1, 10**6), default=10, help="%(default)s")


def _demo(options: argparse.Namespace) -> None:
    from seat_components.demo import run_demo

    run_demo(options.bundle, options.out, options.data, options.epochs)


DEMO_COMMAND = Command("what `make run` does: train, evaluate, attack, report", _demo_options, _demo)


def _experiment_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plan", required=True, type=path, help="a JSON file; see docs/experiments.md")
    parser.add_argument("--dataset", type=path, help="MSD folder (the plan's dataset_dir)")
    parser.add_argument("--out", type=path, help="folder of the runs (the plan's)")
    parser.add_argument("--results", type=path, help="Markdown page to write (results.md among the runs)")
    parser.add_argument("--minutes", type=minutes, help="stop after this time; the next call goes on")
    parser.add_argument("--dry-run", action="store_true", help="only say what the trainings will take")
    parser.add_argument("--results-only", action="store_true", help="only write the page again")


def _experiment(options: argparse.Namespace) -> None:
    from seat_components.experiments import costs_in_words, costs_of, read_plan, run_plan, write_results

    plan = read_plan(options.plan, options.dataset, options.out)
    if options.dry_run:
        print(costs_in_words(costs_of(plan)))
        return
    if find_spec("matplotlib") is None:
        refuse("the results page has figures, which need matplotlib: pip install matplotlib")
    done = options.results_only or run_plan(plan, options.minutes)
    page = options.results or plan.out / "results.md"
    given = {"plan": options.plan, "dataset": options.dataset, "out": options.out, "results": options.results}
    words = [f"--{name} {value}" for name, value in given.items() if value is not None]
    print(write_results(plan, page, f"python -m seat_components experiment {' '.join(words)}"))
    if not done:
        print("The experiment is not finished. Give the same command again to go on.")


EXPERIMENT_COMMAND = Command(
    "do the runs of a plan that are not done, and compare them", _experiment_options, _experiment
)


def _report_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", type=path, metavar="RUN", help="an output_dir of a bundle")
    parser.add_argument("--out", type=path, help="folder of the report (the first RUN)")


def _report(options: argparse.Namespace) -> None:
    from seat_components.reporting import write_report

    print(write_report(options.runs, options.out))


REPORT_COMMAND = Command("write report.html from the records of runs", _report_options, _report)
