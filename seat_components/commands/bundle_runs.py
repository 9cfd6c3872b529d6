"""The commands that start a run of a bundle: predict, train, finetune, and those that measure a model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from seat_components.commands.command import Command, path
from seat_components.commands.own_network import attack_network, network_options, refuse_network_options
from seat_components.launching.line import METHOD_OVERLAYS
from seat_components.refusals import refuse

_METHODS = ("seat", *METHOD_OVERLAYS)
_OF_A_SCAN = "SCAN"
_OF_A_DATASET = "BUNDLE DATA"
"""The words that stand before the options."""


def _start(options: argparse.Namespace, configs: Sequence[str], values: Mapping[str, Path | str | bool | None]) -> None:
    """Start ``configs`` of a bundle, with those ``values`` that were given; the last word before them is the data."""
    from seat_components.launching.folders import bundle_folder, usual_places
    from seat_components.launching.start import start_run
    from seat_components.launching.words import parted

    names = COMMANDS_OF_RUNS[options.command].places.split()
    places, further = parted(options.further, names)
    bundle = bundle_folder(places.get("BUNDLE", getattr(options, "bundle", None)), *usual_places())
    given = {"dataset_dir": _path_of(places, names[-1]), **values}
    start_run(bundle, configs, {name: _absolute(value) for name, value in given.items() if value is not None}, further)


def _path_of(places: Mapping[str, str], name: str) -> Path:
    if name not in places:
        refuse(f"{name} is missing: it stands before the options (see --help).")
    try:
        return path(places[name])
    except argparse.ArgumentTypeError as error:
        refuse(f"{name}: {error}.")


def _absolute(value: Path | str | bool) -> Path | str | bool:
    return value.absolute() if isinstance(value, Path) else value


def _out_option(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("-o", "--out", type=path, metavar="OUT", help=f"the folder to write into ({default})")


def _weights_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=path, metavar="FILE", help="whose weights (the bundle's models/model.pt)")


def _predict_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--out", type=path, metavar="OUT", required=True, help="the folder of the masks")
    parser.add_argument("--bundle", metavar="BUNDLE", help="the bundle's folder, or its name")
    _weights_option(parser)
    parser.add_argument("--probabilities", action="store_true", help="write each class's probabilities as well")
    parser.add_argument("--largest-component", action="store_true", help="keep each label's largest piece only")


def _predict(options: argparse.Namespace) -> None:
    if options.out.name.lower().endswith((".nii", ".nii.gz")):
        refuse(f"-o {options.out} names a file: OUT is the folder of the masks, each of which has its scan's name.")
    flags = {name: getattr(options, name) or None for name in ("probabilities", "largest_component")}
    _start(options, ["inference"], {"output_dir": options.out, "weights": options.weights, **flags})


def _method_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--method", choices=_METHODS, default="seat", help="how to train (%(default)s)")
    _out_option(parser, "the bundle's models/ and eval/")


def _training(options: argparse.Namespace, overlays: Sequence[str], values: Mapping[str, Path | None]) -> None:
    method = [] if options.method == "seat" else [options.method]
    folders = {"ckpt_dir": options.out, "output_dir": options.out}
    _start(options, ["train", *method, *overlays], {**values, **folders})


def _train(options: argparse.Namespace) -> None:
    _training(options, [], {})


def _finetune_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pretrained", type=path, metavar="FILE", required=True, help="the weights to start from")
    _method_options(parser)


def _finetune(options: argparse.Namespace) -> None:
    _training(options, ["finetune"], {"pretrained": options.pretrained})


def _measure_options(parser: argparse.ArgumentParser) -> None:
    _weights_option(parser)
    _out_option(parser, "the bundle's eval/")


def _measure(options: argparse.Namespace, **values: str | None) -> None:
    """Start the overlay that is named like the word."""
    _start(options, ["train", options.command], {**values, "weights": options.weights, "output_dir": options.out})


def _attack_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--protocol", metavar="NAME", help="quick (the default), standard, strong, paper, black-box")
    _measure_options(parser)
    network_options(parser)


def _attack(options: argparse.Namespace) -> None:
    if options.model is not None:
        attack_network(options)
    else:
        refuse_network_options(options)
        _measure(options, protocol=options.protocol)


COMMANDS_OF_RUNS: Mapping[str, Command] = {
    "predict": Command(
        "write masks for a scan, for a folder of scans, or for a DICOM series", _predict_options, _predict, _OF_A_SCAN
    ),
    "train": Command("train a bundle's network on a dataset", _method_options, _train, _OF_A_DATASET),
    "finetune": Command("train on from given weights", _finetune_options, _finetune, _OF_A_DATASET),
    "evaluate": Command(
        "measure clean metrics on the whole validation volumes", _measure_options, _measure, _OF_A_DATASET
    ),
    "attack": Command(
        "measure robustness: a bundle's, or that of any network (--model)", _attack_options, _attack, _OF_A_DATASET
    ),
    "corrupt": Command(
        "measure what noise, blur and other corruptions leave of the Dice", _measure_options, _measure, _OF_A_DATASET
    ),
    "certify": Command(
        "find a Dice that no gamma or noise of a range goes below", _measure_options, _measure, _OF_A_DATASET
    ),
}
"""By their words, in the order in which ``--help`` lists them."""
