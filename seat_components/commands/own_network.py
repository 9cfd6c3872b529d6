"""The form of ``seat attack`` for any other network: its options, and what they ask for."""

from __future__ import annotations

import argparse

from seat_components.commands.command import path, whole_number
from seat_components.refusals import refuse

_OPTIONS = ("data", "images", "labels", "preprocessing", "patch", "label_names", "outputs", "output_key")
"""Those that belong to --model alone."""


def network_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group(
        "any other network, in place of BUNDLE DATA",
        "Of the configs' ids these may follow: attack_eps_255, steps, seed, draws, scope, max_cases, budget, "
        "least_budget, device.",
    )
    group.add_argument(
        "--model", metavar="MODEL", help="FILE.ts (TorchScript), FILE.onnx, package.module:function, or a bundle"
    )
    group.add_argument("--data", type=path, metavar="DIR", help="a dataset's folder, with dataset.json")
    group.add_argument("--images", type=path, metavar="DIR", help="in place of --data, the scans")
    group.add_argument("--labels", type=path, metavar="DIR", help="and their labels, under the same names")
    group.add_argument(
        "--preprocessing", metavar="HOW", help="none, or a bundle whose inference config says it (MODEL's own)"
    )
    group.add_argument(
        "--patch", type=whole_number(1, 10**5), nargs=3, metavar="N", help="what is attacked (the bundle's window)"
    )
    group.add_argument(
        "--label-names",
        nargs="+",
        metavar="NAME",
        help="of the network's channels, in their order; of sigmoids also NAME=VALUE,VALUE",
    )
    group.add_argument("--outputs", choices=("softmax", "sigmoid"), help="how logits are read (softmax)")
    group.add_argument("--output-key", metavar="KEY", help="where the answer has several parts, the logits' place")


def attack_network(options: argparse.Namespace) -> None:
    """Run it."""
    from seat_components.foreign.asked import DEFAULTS, Asked
    from seat_components.foreign.attack import attack_model
    from seat_components.launching.words import values_of

    if options.out is None:
        refuse("Where shall the records go? Give -o OUT, the folder to write into.")
    key = options.output_key
    asked = Asked(
        model=options.model,
        out=options.out,
        data=options.data,
        images=options.images,
        labels=options.labels,
        preprocessing=options.preprocessing,
        patch=options.patch,
        label_names=options.label_names,
        outputs=options.outputs,
        weights=options.weights,
        output_key=int(key) if key is not None and key.isdecimal() else key,
        protocol=options.protocol,
        settings=values_of(options.further, DEFAULTS),
    )
    attack_model(asked)


def refuse_network_options(options: argparse.Namespace) -> None:
    """Refuse what means nothing without ``--model``."""
    given = [name for name in _OPTIONS if getattr(options, name) is not None]
    if given:
        refuse(f"--{given[0].replace('_', '-')} goes with --model, the network that is no bundle of these.")
