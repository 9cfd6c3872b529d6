"""``robustness_of`` for anybody's network: what it takes, and what it refuses by name before the first score."""

from types import MappingProxyType

import numpy as np
import pytest
import torch
from networks_under_test import LABELS, cases, smooth
from torch import nn

from seat_components.budget import BUDGETS, RANGE_OVER_STD
from seat_components.evaluation import AttackSetting, Protocol, robustness_of
from seat_components.evaluation.protocols import PROTOCOLS
from seat_components.refusals import RefusalError


@pytest.fixture(autouse=True)
def few_attacks(monkeypatch):
    attacks = (AttackSetting("random"), AttackSetting("pgd-ce", {"steps": 4}))
    monkeypatch.setitem(PROTOCOLS, "quick", Protocol(attacks, steps=4))


def quick(network=smooth, chosen=None, **options):
    given = {"labels": LABELS, "eps_255": 24, "protocol": "quick", **options}
    return robustness_of(network, chosen or cases(1), **given)


def dice(record):
    return {(row["attack"], row["eps_255"]): row["mean_dice"] for row in record["summary"]}


((NAME, IMAGE, LABEL),) = cases(1)


def with_value(value):
    image = IMAGE.clone()
    image[..., 3, 3] = value
    return image


REFUSED = {
    "two structures of one name": ({"labels": ("background", "a", "a")}, "but each class has a name of its own"),
    "a voxel of no volume": ({"voxel_mm3": -1}, "voxel_mm3 is -1, but a voxel has a volume above 0"),
    "NaN": ({"image": with_value(float("nan"))}, "case_0: image holds NaN"),
    "infinity": ({"image": with_value(float("inf"))}, "case_0: image holds NaN or infinity"),
    "outside bounds": ({"bounds": (0.1, 0.9)}, "case_0: .*outside bounds"),
    "integer image": ({"image": (255 * IMAGE).short()}, r"pass image.float\(\)"),
    "array": ({"image": IMAGE.numpy()}, "torch.as_tensor"),
    "label of another size": ({"label": LABEL[..., 1:]}, "case_0: label has shape"),
    "float label": ({"label": LABEL.float()}, r"pass label.long\(\)"),
    "class that is not there": ({"label": LABEL + 2}, "class 4, but the logits have the classes 0 … 2"),
    "network of another input": ({"network": nn.Conv2d(4, 3, 1)}, "case_0: the network cannot take this image"),
    "network of another precision": ({"network": nn.Conv2d(1, 3, 1).half()}, "case_0: .*float32"),
    "tuple": ({"network": lambda x: (x, smooth(x))}, r"a tuple of 0 \(1, 1, 8, 8\), 1 \(1, 3, 8, 8\).*output_key"),
    "dict of other keys": ({"network": lambda x: {"out": smooth(x)}, "output_key": "logits"}, "output_key='out'"),
    "no tensor": ({"network": lambda x: smooth(x).detach().numpy()}, "returned ndarray"),
    "one channel": ({"network": lambda x: smooth(x)[:, :1]}, "outputs='sigmoid'"),
    "no gradient": ({"network": lambda x: smooth(x).detach()}, "black-box"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_evaluated_is_refused_by_name_and_rule(case):
    changed, message = REFUSED[case]
    options = {"network": smooth, "image": IMAGE, "label": LABEL, **changed}
    network, image, label = (options.pop(name) for name in ("network", "image", "label"))
    with pytest.raises(ValueError, match=message):
        quick(network, [(NAME, image, label)], **options)


@pytest.mark.parametrize("eps_255", ["8", [], [0], [8, "16"], None, True, 0.03])
def test_budgets_that_are_none_are_refused(eps_255):
    with pytest.raises(RefusalError, match="attack_eps_255 is"):
        quick(eps_255=eps_255)


@pytest.mark.parametrize(
    "eps_255", [np.float32(24), np.array([24]), torch.tensor(24), [np.int64(24)], (24.0,), torch.tensor([24.0])]
)
def test_budgets_may_be_numbers_of_any_library(eps_255):
    assert dice(quick(eps_255=eps_255)) == dice(quick())


def test_the_budget_may_be_a_share_of_the_contrast_and_the_record_says_which_and_what_it_comes_to():
    """In standard deviations of the image every case's budget is the same then; of the range it is not."""
    several = [(name, image**power, label) for power, (name, image, label) in zip((1, 3), cases(2), strict=True)]
    found = {budget: quick(chosen=several, budget=budget, eps_255=[8, 24]) for budget in BUDGETS}
    shares = {
        budget: [(row["eps_255"], row["image"]) for row in found[budget]["budget_over_std"]] for budget in BUDGETS
    }
    assert shares["contrast"] == [(eps, pytest.approx(RANGE_OVER_STD * eps / 255)) for eps in (8, 24, 8, 24)]
    assert shares["range"][3][1] > 1.2 * shares["range"][1][1]
    assert [found[budget]["budget"] for budget in BUDGETS] == list(BUDGETS)
    assert all(row["linf_over_budget"] <= 1 for budget in BUDGETS for row in found[budget]["cases"])
    assert dice(found["range"]) == dice(quick(chosen=several, eps_255=[8, 24])) != dice(found["contrast"])
    with pytest.raises(RefusalError, match="budget is 'std'"):
        quick(budget="std")


WAYS = MappingProxyType(
    {
        "tuple": (lambda x: (x, smooth(x)), 1),
        "list": (lambda x: [smooth(x)], 0),
        "dict": (lambda x: {"aux": x, "out": smooth(x)}, "out"),
        "tensor all the same": (smooth, "out"),
    }
)


@pytest.mark.parametrize("way", WAYS)
def test_the_logits_may_be_a_part_of_the_answer(way):
    network, key = WAYS[way]
    assert dice(quick(network, output_key=key)) == dice(quick())


def test_a_network_that_changes_its_input_in_place_is_the_same_network():
    class InPlace(nn.Module):
        def forward(self, image):
            return smooth(image.sub_(0.1).mul_(2))

    before = IMAGE.clone()
    found = quick(InPlace(), [(NAME, IMAGE, LABEL)])
    assert torch.equal(IMAGE, before)
    assert dice(found) == dice(quick(lambda x: smooth((x - 0.1) * 2)))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(6.0))
        self.drop = nn.Dropout(0.5)

    def forward(self, image):
        z = self.drop(self.scale * image)
        return torch.cat([torch.full_like(z, 2.0), -z - 1, z - 1], dim=1)


def test_torchscript_also_frozen():
    network = Small().eval()
    expected = dice(quick(network))
    assert dice(quick(torch.jit.script(network))) == expected
    assert dice(quick(torch.jit.freeze(torch.jit.script(network)))) == pytest.approx(expected, abs=1e-6)


def test_half_precision_on_both_sides():
    found = dice(quick(Small().half(), [(NAME, IMAGE.half(), LABEL)]))
    assert found["worst", 24] == pytest.approx(dice(quick())["worst", 24], abs=0.1)


def test_a_network_without_gradients_can_be_searched():
    found = robustness_of(
        lambda x: smooth(x).detach(), cases(1), labels=LABELS, eps_255=40, protocol="black-box", steps=50
    )
    assert found["cost"]["square"]["backwards"] == 0
    assert dice(found)["square", 40] < dice(found)["clean", 0]
    assert "zero gradients" not in found["alarms_checked"]
    assert "not deterministic" in found["alarms_checked"]


def sigmoids(image):
    return 6 * torch.cat([image, 0.3 - image], dim=1)


def test_structures_that_overlap_are_scored_each_by_itself():
    several = [(NAME, IMAGE, (sigmoids(IMAGE) > 0).long())]
    found = quick(sigmoids, several, labels=("tumour", "oedema"), outputs="sigmoid", eps_255=40)
    clean, worst = (next(row for row in found["summary"] if row["attack"] == name) for name in ("clean", "worst"))
    assert clean["dice"] == {"tumour": 1, "oedema": 1}
    assert set(found["volumes_ml"][NAME]) == set(worst["dice"]) == {"tumour", "oedema"}
    assert max(worst["dice"].values()) < 0.9
    one = [(NAME, IMAGE, (IMAGE > 0).long())]
    binary = quick(lambda x: 6 * x, one, labels=("organ",), outputs="sigmoid")
    two = quick(lambda x: torch.cat([0 * x, 6 * x], dim=1), one, labels=("background", "organ"))
    assert dice(binary) == pytest.approx(dice(two), abs=1e-6)


def test_ignored_voxels_leave_dice_and_losses():
    """Networks that differ there alone get the same numbers, and what is right nowhere else is not right by them."""
    partly = LABEL.clone()
    partly[..., 4:] = 255

    def other(image):
        logits = smooth(image)
        return torch.cat([logits[..., :4], -logits[..., 4:]], dim=-1)

    found = [quick(network, [(NAME, IMAGE, partly)], ignore_index=255, eps_255=40) for network in (smooth, other)]
    assert dice(found[0]) == dice(found[1])
    assert 0 < dice(found[0])["worst", 40] < 1
    with pytest.raises(ValueError, match="ignore_index"):
        quick(smooth, [(NAME, IMAGE, partly)])
