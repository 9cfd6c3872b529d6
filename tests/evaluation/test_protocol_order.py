"""A trained network under both protocols: strong ≤ paper, random ≈ clean, and the worst case by another Dice."""

import numpy as np
import pytest
import torch
from trained_networks import LABELS, phantom_batch, trained

from seat_components.evaluation.case import Case
from seat_components.evaluation.ensemble import Ensemble
from seat_components.evaluation.protocols import protocol_of
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.robustness import AttackedEvaluation

CASES = ("first", "second")
EPS_255 = 8.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Both protocols' records on two unseen phantoms, and the folder of the worst images, one file each."""
    folder = tmp_path_factory.mktemp("adversarial")
    images, labels = phantom_batch([100, 101])
    contents = {}
    for protocol, steps in (("paper", None), ("strong", 40)):
        records = RobustnessRecords(None, AttackedEvaluation(protocol="strong"), LABELS[1:])
        ensemble = Ensemble(records, protocol_of(protocol, steps), EPS_255)
        for place, name in enumerate(CASES):
            one = slice(place, place + 1)
            _, strongest = ensemble.attack(trained("clean"), Case(name, place, images[one], labels[one]))
            np.savez(folder / f"{protocol}_{name}.npz", image=strongest.image, label=labels[one])
        contents[protocol] = records.content()
    return contents, folder


def mean_dice(content):
    return {row["attack"]: row["mean_dice"] for row in content["summary"]}


def test_strong_is_at_least_as_strong_as_paper_and_random_noise_is_harmless(evaluated):
    paper, strong = (mean_dice(evaluated[0][protocol]) for protocol in ("paper", "strong"))
    assert strong["clean"] == paper["clean"] > 0.5, "a network worth attacking"
    assert strong["worst"] < strong["clean"] - 0.1, "an attack worth comparing"
    assert strong["worst"] <= paper["worst"] + 0.01
    for found in (paper, strong):
        assert abs(found["random"] - found["clean"]) <= 0.02


@pytest.mark.parametrize("protocol", ["paper", "strong"])
def test_the_worst_case_is_what_another_dice_finds_in_the_saved_volumes(evaluated, protocol):
    contents, folder = evaluated
    rows = {row["case"]: row["dice"] for row in contents[protocol]["cases"] if row["attack"] == "worst"}
    assert set(rows) == set(CASES)
    for case, recorded in rows.items():
        with np.load(folder / f"{protocol}_{case}.npz") as saved, torch.no_grad():
            logits, label = trained("clean")(torch.from_numpy(saved["image"])), saved["label"][:, 0]
        predicted = logits.numpy().argmax(axis=1)
        for value, name in enumerate(LABELS[1:], start=1):
            p, q = predicted == value, label == value
            assert recorded[name] == pytest.approx(2 * (p & q).sum() / (p.sum() + q.sum()), abs=1e-6)
