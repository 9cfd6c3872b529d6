"""Run attacks one by one on a bundle's validation cases: ``python -m tools.single_attacks``.

Protocols are chosen by what this writes: a robustness.json for each attack and number of steps, in a folder of the
network's name. What is there already is not run again. ``python -m tools.protocol_choice`` reads the folders.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from monai.bundle import ConfigParser
from torch import nn
from tqdm import tqdm

from seat_components.attacks import ATTACKS, SEA_RADII
from seat_components.attacks.predictor import evaluating
from seat_components.budget import BUDGETS, RANGE
from seat_components.evaluation.case import Case
from seat_components.evaluation.ensemble import Ensemble
from seat_components.evaluation.identity import sha256
from seat_components.evaluation.protocols import AttackSetting, Protocol
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.networks import load_pretrained
from seat_components.records.robustness import AttackedEvaluation
from tools.inner_features import deepest, feature_attack, last

# Attacks that no protocol has.
MORE_ATTACKS = {
    "features-last": partial(feature_attack, choice=last),
    "features-deepest": partial(feature_attack, choice=deepest),
}
# Options with which an attack runs beside its steps.
OPTIONS: dict[str, dict[str, Any]] = {"apgd-mask-ce": {"radii": SEA_RADII}}


def network_and_cases(
    bundle: Path, weights: Path, dataset: Path, network: str | None, count: int
) -> tuple[nn.Module, list[str], Iterator[Case]]:
    """The bundle's network with these weights, the names of its classes, and its first validation cases, as patches."""
    parser = ConfigParser()
    parser.read_config([str(bundle / "configs" / name) for name in ("train.json", "attack.json")])
    parser["bundle_root"], parser["dataset_dir"], parser["weights"] = str(bundle), str(dataset), str(weights)
    parser["validate#dataset#data"] = f"$@cases.validation[:{count}]"
    parser["output_dir"], parser["device"] = str(weights.parent), torch.device("cpu")
    if network:
        parser["network_def"] = json.loads(network)
    module = load_pretrained(parser.get_parsed_content("network_def"), weights).eval()
    labels = list(parser.get_parsed_content("label_names").values())
    loader = parser.get_parsed_content("validate#dataloader")

    def cases() -> Iterator[Case]:
        for place, batch in enumerate(loader):
            name = Path(batch["image"].meta["filename_or_obj"][0]).name.split(".")[0]
            yield Case(name, place, batch["image"].as_tensor(), batch["label"].as_tensor())

    return module, labels, cases()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/msd_task04_hippocampus"))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--network", help="network_def as JSON; the bundle's own by default")
    parser.add_argument("--attacks", nargs="+", required=True, metavar="ATTACK:STEPS")
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--eps_255", type=float, default=8)
    parser.add_argument("--budget", choices=BUDGETS, default=RANGE, help="what ε is a share of")
    parser.add_argument("--out", type=Path, required=True, help="the network's folder")
    given = parser.parse_args(arguments)
    network, labels, cases = network_and_cases(given.bundle, given.weights, given.dataset, given.network, given.cases)
    known = sha256(given.weights)
    with evaluating(network), patch.dict(ATTACKS, MORE_ATTACKS):
        for case in tqdm(cases, total=given.cases):
            for word in given.attacks:
                attack, _, steps = word.partition(":")
                setting = AttackSetting(attack, {"steps": int(steps), **OPTIONS.get(attack, {})})
                protocol = Protocol((setting,))
                header = AttackedEvaluation(
                    protocol="single", settings=protocol.settings(), weights_sha256=known, budget=given.budget
                )
                records = RobustnessRecords(given.out / word.replace(":", "-"), header, labels[1:])
                ensemble = Ensemble(records, protocol, given.eps_255)
                if not ensemble.is_complete(case.name, case.place):
                    ensemble.attack(network, case)


if __name__ == "__main__":
    main()
