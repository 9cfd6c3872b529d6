"""``python -m seat_components``: phantoms, bundles, their weights, plans for own data, reports, a demonstration run."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from seat_components.refusals import RefusalError, refuse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status. A refusal is one message, without a traceback."""
    options = _parser().parse_args(arguments)
    try:
        command: str = options.command
        COMMANDS[command](options)
    except RefusalError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # A full disk, a missing right, a name that is too long: not this program's fault, and said by the system.
        place = "" if error.filename is None else f"{error.filename}: "
        print(f"ERROR: {place}{error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _phantom(options: argparse.Namespace) -> None:
    from seat_components.data import phantom

    folder = phantom(options.task, options.out, (options.training, options.validation), options.seed)
    print(f"Wrote {options.training + options.validation} phantom cases of {options.task} to {folder}.")


def _report(options: argparse.Namespace) -> None:
    from seat_components.reporting import write_report

    print(write_report(options.runs, options.out))


def _bundles(options: argparse.Namespace) -> None:
    from seat_components.bundles.render import write_bundle
    from seat_components.tasks import all_tasks

    for task in options.tasks or all_tasks():
        print(write_bundle(task, options.out))


def _card(options: argparse.Namespace) -> None:
    from seat_components.bundles.render import write_bundle
    from seat_components.bundles.results import add_protocol, collect_result, write_result
    from seat_components.tasks import load_task

    task = load_task(options.task)
    if not options.attacks_only and options.method is None:
        refuse("--method is missing: how were the weights trained, for example SEAT?")
    if options.attacks_only:
        add_protocol(task, options.run, options.file, options.training)
    else:
        result = collect_result(options.run, options.method, options.file, options.training, options.url or "")
        write_result(task, result)
    print(write_bundle(task, options.out))


def _demo(options: argparse.Namespace) -> None:
    from seat_components.demo import run_demo

    run_demo(options.bundle, options.out, options.data, options.epochs)


def _plan(options: argparse.Namespace) -> None:
    from seat_components.planning.commands import write_plan

    write_plan(options.dataset, options.out, options.workers)


def _new_bundle(options: argparse.Namespace) -> None:
    from seat_components.planning.commands import write_new_bundle

    write_new_bundle(options.dataset, options.name, options.out, options.workers)


def _weights(options: argparse.Namespace) -> None:
    from seat_components.weights import commands

    if options.init is not None:
        commands.write_untrained(options.init, options.bundles, options.seed)
    elif options.convert is not None:
        commands.convert(options.convert, options.bundle, options.bundles, options.out)
    elif options.restore is not None:
        commands.restore(options.restore, options.bundles)
    elif options.verify:
        commands.verify_weights(options.bundles)
    else:
        commands.list_weights(options.bundles)


def _experiment(options: argparse.Namespace) -> None:
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


def _zips(options: argparse.Namespace) -> None:
    from seat_components.weights import zip_bundles

    for archive in zip_bundles(options.out, options.bundles):
        print(archive)


def _label_env(options: argparse.Namespace) -> None:
    from seat_components.labelling.commands import write_environment

    write_environment(options.env)


def _label(options: argparse.Namespace) -> None:
    from seat_components.labelling.commands import serve

    folders = {"environment": options.env, "bundles": options.bundles, "studies": options.studies, "app": options.app}
    names = {"hosts": options.allow_host, "origins": options.allow_origin}
    serve(tasks=options.tasks, port=options.port, init=options.init, settings=options.set, **names, **folders)


COMMANDS = {
    "phantom": _phantom,
    "report": _report,
    "bundles": _bundles,
    "card": _card,
    "demo": _demo,
    "plan": _plan,
    "new-bundle": _new_bundle,
    "weights": _weights,
    "zips": _zips,
    "label-env": _label_env,
    "label": _label,
    "experiment": _experiment,
}


def _path(text: str) -> Path:
    """An option's path: a name that a file may have, not a link in a circle."""
    try:
        if text.strip():
            Path(text).resolve()
            return Path(text)
    except (OSError, RuntimeError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} leads nowhere ({error})") from None
    raise argparse.ArgumentTypeError("a path is not empty")


def _whole(least: int, most: int) -> Callable[[str], int]:
    """An option's whole number."""

    def number(text: str) -> int:
        if not re.fullmatch("-?[0-9]{1,20}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number, {least} to {most}")
        return int(text)

    return number


def _minutes(text: str) -> float:
    """An option's time: a finite number of minutes, above 0."""
    try:
        if 0 < float(text) < math.inf:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes above 0")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m seat_components", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    phantom = commands.add_parser("phantom", help="write a small MSD folder of phantoms that a network can learn")
    phantom.add_argument("--task", required=True, help="for example Task04_Hippocampus")
    phantom.add_argument("--out", required=True, type=_path, help="a new folder")
    phantom.add_argument("--training", type=_whole(1, 10_000), default=12, help="training cases (%(default)s)")
    phantom.add_argument("--validation", type=_whole(1, 10_000), default=4, help="validation cases (%(default)s)")
    phantom.add_argument("--seed", type=_whole(0, 2**32 - 1), default=0)

    report = commands.add_parser("report", help="write report.html from the records of runs")
    report.add_argument("runs", nargs="+", type=_path, metavar="RUN", help="an output_dir of a bundle")
    report.add_argument("--out", type=_path, help="folder of the report (the first RUN)")

    bundles = commands.add_parser("bundles", help="render bundles from the template and the task table")
    bundles.add_argument("--tasks", nargs="+", help="for example Task04_Hippocampus (all ten)")
    bundles.add_argument("--out", type=_path, default=Path("bundles"), help="folder of the bundles (%(default)s)")

    card = commands.add_parser("card", help="put the evaluation of shipped weights into the bundle's card and metadata")
    card.add_argument("--task", required=True, help="for example Task04_Hippocampus")
    card.add_argument("--run", required=True, type=_path, help="output_dir with metrics.json and robustness.json")
    card.add_argument("--method", help="for example SEAT")
    card.add_argument("--file", default="model.pt", help="name in the bundle's models/ (%(default)s)")
    card.add_argument("--training", required=True, help="how they were trained, with the command")
    card.add_argument("--attacks-only", action="store_true", help="add a protocol; --training is then its command")
    card.add_argument("--url", help="where the weights are, if they are not in git; goes to large_files.yml")
    card.add_argument("--out", type=_path, default=Path("bundles"), help="folder of the bundles (%(default)s)")

    plan = commands.add_parser("plan", help="measure a dataset in MSD layout, and plan how to train on it")
    plan.add_argument("--dataset", required=True, type=_path, metavar="DIR", help="the folder with dataset.json")
    plan.add_argument("--out", type=_path, metavar="FILE", help="where to write the plan (printed)")
    plan.add_argument("--workers", type=_whole(1, 1024), metavar="N", help="cases measured at a time (cores, up to 4)")

    new_bundle = commands.add_parser("new-bundle", help="plan for a dataset, and write a bundle that trains on it")
    new_bundle.add_argument("--dataset", required=True, type=_path, metavar="DIR", help="the folder with dataset.json")
    new_bundle.add_argument("--name", required=True, help="the bundle's name, such as abdomen_ct")
    new_bundle.add_argument("--out", required=True, type=_path, metavar="DIR", help="where the bundle's folder is made")
    new_bundle.add_argument(
        "--workers", type=_whole(1, 1024), metavar="N", help="cases measured at a time (cores, up to 4)"
    )

    demo = commands.add_parser("demo", help="what `make run` does: train, evaluate, attack, report")
    demo.add_argument("--bundle", required=True, type=_path)
    demo.add_argument("--out", required=True, type=_path)
    demo.add_argument("--data", type=_path, help="an MSD task folder (phantoms)")
    demo.add_argument("--epochs", type=_whole(1, 10**6), default=12, help="%(default)s")

    _add_experiment(commands)
    _add_bundle_commands(commands)
    return parser


def _add_bundle_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Commands about weights, archives, and MONAI Label."""
    weights = commands.add_parser("weights", help="list the bundles' weights; verify, convert, or write untrained ones")
    weights.add_argument("--bundles", type=_path, default=Path("bundles"), help="folder of the bundles (%(default)s)")
    action = weights.add_mutually_exclusive_group()
    action.add_argument("--verify", action="store_true", help="check the files' hashes")
    action.add_argument("--init", metavar="BUNDLE", help="write seeded, untrained weights as its models/model.pt")
    action.add_argument("--convert", type=_path, metavar="FILE", help="make a bundle's weights of a checkpoint")
    action.add_argument("--restore", metavar="BUNDLE", help="bring shipped weights back that a training has replaced")
    weights.add_argument("--seed", type=_whole(0, 2**32 - 1), default=0, help="of --init (%(default)s)")
    weights.add_argument("--bundle", help="whose network --convert checks against: folder, or name")
    weights.add_argument(
        "--out", type=_path, metavar="FILE", help="of --convert (models/model_<name>.pt of the bundle)"
    )

    zips = commands.add_parser("zips", help="zip each bundle, to the same bytes every time")
    zips.add_argument("--bundles", type=_path, default=Path("bundles"), help="folder of the bundles (%(default)s)")
    zips.add_argument("--out", type=_path, default=Path("dist"), help="folder of the zips (%(default)s)")

    environment = Path(".venv-label")
    label_env = commands.add_parser("label-env", help="make MONAI Label's environment (network; minutes)")
    label_env.add_argument("--env", type=_path, default=environment, help="its folder (%(default)s)")

    label = commands.add_parser("label", help="serve bundles with MONAI Label, on this machine only")
    label.add_argument("--tasks", nargs="+", required=True, help="tasks or bundles, by name or folder")
    label.add_argument("--studies", required=True, type=_path, metavar="DIR", help="the images to label")
    label.add_argument("--env", type=_path, default=environment, help="MONAI Label's environment (%(default)s)")
    label.add_argument("--bundles", type=_path, default=Path("bundles"), help="folder of the bundles (%(default)s)")
    label.add_argument("--app", type=_path, default=Path("runs/label"), help="where copies are served and trained")
    label.add_argument("--port", type=_whole(1, 65535), default=8000, help="%(default)s")
    label.add_argument("--init", action="store_true", help="write untrained weights where a bundle has none")
    label.add_argument(
        "--set", nargs="+", default=[], metavar="ID=VALUE", help="values for the copies' configs, in JSON"
    )
    label.add_argument("--allow-host", nargs="+", default=[], metavar="NAME", help="a proxy's name for this server")
    label.add_argument("--allow-origin", nargs="+", default=[], metavar="URL", help="a page that may ask")


def _add_experiment(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    experiment = commands.add_parser("experiment", help="do the runs of a plan that are not done, and compare them")
    experiment.add_argument("--plan", required=True, type=_path, help="a JSON file; see docs/experiments.md")
    experiment.add_argument("--dataset", type=_path, help="MSD folder (the plan's dataset_dir)")
    experiment.add_argument("--out", type=_path, help="folder of the runs (the plan's)")
    experiment.add_argument("--results", type=_path, help="Markdown page to write (results.md among the runs)")
    experiment.add_argument("--minutes", type=_minutes, help="stop after this time; the next call goes on")
    experiment.add_argument("--results-only", action="store_true", help="only write the page again")


if __name__ == "__main__":
    sys.exit(main())
