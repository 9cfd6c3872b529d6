"""What is never silent: a network that fails, returns probabilities, saturates or answers differently each time."""

from functools import partial

import pytest
import torch
from networks_under_test import LABELS, cases, smooth
from torch import nn

from seat_components.evaluation import AttackSetting, Protocol, robustness_of
from seat_components.evaluation.protocols import PROTOCOLS

EPS_255 = 24


@pytest.fixture(autouse=True)
def few_attacks(monkeypatch):
    monkeypatch.setitem(
        PROTOCOLS, "quick", Protocol((AttackSetting("random"), AttackSetting("pgd-ce", {"steps": 10})), steps=10)
    )


def quick(network, chosen=None, **options):
    """Dice by attack, and the alarms that ring."""
    given = {"labels": LABELS, "eps_255": EPS_255, "protocol": "quick", **options}
    record = robustness_of(network, chosen or cases(1), **given)
    dice = {row["attack"]: row["mean_dice"] for row in record["summary"]}
    return dice, {alarm["alarm"]: alarm["message"] for alarm in record["alarms"]}


def broken(where):
    """``smooth`` with NaN wherever ``where(image)``, bool (B, 1, *spatial), says so."""
    return lambda image: smooth(image).masked_fill(where(image), float("nan"))


def test_one_voxel_that_is_never_finite_changes_the_number_by_one_voxel_and_rings():
    sound, alarms = quick(smooth)
    assert "logits not finite" not in alarms
    first = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    first[..., 4, 4] = True
    dice, alarms = quick(broken(lambda _: first))
    assert "without any attack" in alarms["logits not finite"]
    for attack, value in dice.items():
        assert value == pytest.approx(sound[attack], abs=0.06)
    assert dice["worst"] < sound["clean"] - 0.3


@pytest.mark.parametrize("attack", ["random", "pgd-ce", "square", "fab"])
def test_an_image_for_which_the_network_fails_is_the_attacker_s_success(monkeypatch, attack):
    """Found on the way, even where the attack would have returned another image: no mask comes out of it."""
    ((_, image, _),) = cases(1)
    setting = AttackSetting(attack, {} if attack == "random" else {"steps": 5})
    monkeypatch.setitem(PROTOCOLS, "quick", Protocol((setting,), steps=5))

    def moved(x):
        one = torch.zeros_like(x, dtype=torch.bool)
        one[..., 2, 2] = not torch.equal(x[0].detach(), image[0])
        return one

    dice, alarms = quick(broken(moved))
    assert (dice["clean"], dice[attack], dice["worst"]) == (1, 0, 0)
    assert f"under {attack} at {EPS_255}/255" in alarms["logits not finite"]


def test_an_image_met_on_the_way_counts_though_another_one_is_returned():
    """The network fails for the fourth image that it is asked about alone: the attack's second."""
    met = []

    def fourth(x):
        met.append(x.detach().clone())
        nowhere = torch.zeros_like(x, dtype=torch.bool)
        nowhere[..., 2, 2] = len(met) > 3 and torch.equal(x.detach(), met[3])
        return nowhere

    dice, alarms = quick(broken(fourth))
    assert dice["pgd-ce"] == 0 < dice["random"]
    assert "under pgd-ce" in alarms["logits not finite"]


def test_logits_that_are_not_finite_outside_the_budget_are_nobody_s_success(monkeypatch):
    """SEA's radii visit images outside; a user's images never lie there."""
    ((_, image, _),) = cases(1)
    setting = AttackSetting("apgd-mask-ce", {"steps": 10, "radii": ((2.0, 0.5), (1.0, 0.5))})
    monkeypatch.setitem(PROTOCOLS, "quick", Protocol((setting,), steps=10))
    dice, alarms = quick(broken(lambda x: (x - image).abs() > 1.01 * 2 * EPS_255 / 255))
    assert "logits not finite" not in alarms
    assert dice["worst"] > 0


def test_probabilities_ring_and_logits_do_not():
    assert "outputs are probabilities" in quick(lambda image: smooth(image).softmax(dim=1))[1]
    assert "outputs are probabilities" in quick(lambda image: smooth(image).softmax(dim=1).half())[1]
    assert "outputs are probabilities" not in quick(lambda image: smooth(image).log_softmax(dim=1))[1]
    ((name, image, label),) = cases(1)
    sigmoid = {"labels": LABELS[1:], "outputs": "sigmoid"}
    several = [(name, image, torch.cat([label == 1, label == 2], dim=1).long())]
    assert "outputs are probabilities" in quick(lambda x: smooth(x)[:, 1:].sigmoid(), several, **sigmoid)[1]
    assert "outputs are probabilities" not in quick(lambda x: smooth(x)[:, 1:], several, **sigmoid)[1]


def test_a_loss_that_is_saturated_in_every_class_rings():
    assert "loss saturated" in quick(lambda image: 1e3 * smooth(image))[1]
    assert "loss saturated" not in quick(smooth)[1]
    # A background that is far away is no fault.
    assert "loss saturated" not in quick(lambda image: smooth(image) + torch.tensor([30.0, 0, 0])[:, None, None])[1]


def noisy(image):
    return smooth(image + 0.1 * torch.randn_like(image))


def test_a_network_that_answers_differently_rings_unless_draws_are_averaged():
    assert "not deterministic" in quick(noisy)[1]
    assert "not deterministic" not in quick(noisy, draws=3)[1]
    assert "not deterministic" not in quick(smooth)[1]


def test_dice_is_the_mean_over_draws():
    """A network that is right and wrong in turn, asked twice each time."""
    turns = [1.0, -1.0]

    def network(image):
        turns.append(turns.pop(0))
        return turns[0] * smooth(image)

    ((name, image, label),) = cases(1)
    only = [(name, image, label)]
    each = [quick(lambda x, sign=sign: sign * smooth(x), only)[0]["clean"] for sign in turns]
    assert quick(network, only, draws=2)[0]["clean"] == pytest.approx(sum(each) / 2)


class Trained(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)

    def forward(self, image):
        return smooth(self.norm(image))


NETWORK = Trained()


def by_global_name(image):
    return NETWORK(image)


def handed_over(network):
    """The ways in which a network hides behind a callable."""

    class Method:
        def __init__(self):
            self.network = network

        def predict(self, image):
            return self.network(image)

        def __call__(self, image):
            return self.network(image)

    def closure(image):
        return network(image)

    return {
        "closure": closure,
        "partial": partial(lambda image, inner: inner(image), inner=network),
        "bound method": network.forward,
        "object": Method(),
        "method of an object": Method().predict,
        "ensemble": lambda image, several=(network, network): sum(one(image) for one in several),
        "global": by_global_name,
    }


@pytest.mark.parametrize("way", handed_over(NETWORK))
def test_a_network_in_training_mode_behind_a_callable_rings_and_keeps_its_buffers(way):
    network = NETWORK.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    _, alarms = quick(handed_over(network)[way])
    assert "not deterministic" in alarms
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.training
    assert "not deterministic" not in quick(network)[1], "a network as it is runs in evaluation mode"
