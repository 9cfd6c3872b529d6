"""A start with a new head takes over every layer that fits, says which do not, and is refused where too few do."""

import logging
import re

import pytest
import torch
from bundle_runs import UNET, save_unet, unet
from torch import nn

from seat_components.networks import ROG, load_pretrained
from seat_components.refusals import RefusalError

OTHER = {
    "nothing": ({}, set()),
    "classes": ({"out_channels": 2}, {"model.2.0.conv", "model.2.1.conv.unit0.conv"}),
    "channels": ({"in_channels": 2}, {"model.0.conv.unit0.conv", "model.0.residual"}),
    "strides": ({"strides": [1]}, {"model.0.residual"}),
}


def network(**changes):
    """A network with values of its own."""
    torch.manual_seed(7)
    own = unet(UNET, **changes)
    with torch.no_grad():
        for value in own.parameters():
            value.uniform_(-1, 1)
    return own


def of_layer(state, layers):
    return {name: value for name, value in state.items() if name.rpartition(".")[0] in layers}


@pytest.mark.parametrize("other", OTHER)
def test_each_layer_is_the_files_as_a_whole_or_the_networks_own(tmp_path, caplog, other):
    changes, anew = OTHER[other]
    own = network(**changes)
    before = {name: value.clone() for name, value in own.state_dict().items()}
    file = save_unet(tmp_path / "model.pt")
    with caplog.at_level(logging.WARNING):
        assert load_pretrained(own, file, new_head=True) is own
    given, after = torch.load(file, weights_only=True), own.state_dict()
    changed = {name.rpartition(".")[0] for name in given if given[name].shape != before[name].shape}
    assert changed <= anew
    for name, value in after.items():
        assert torch.equal(value, (before if name.rpartition(".")[0] in anew else given)[name]), name
    said = re.search(r"Layers begun anew: (.*); left out: none", caplog.text).group(1)
    assert set(said.split(", ")) == (anew or {"none"})


def test_of_rog_other_classes_channels_and_strides_leave_first_and_last_convolution_anew(tmp_path, caplog):
    torch.save(ROG(1, 3, [[1, 1, 1], [1, 1, 1], [2, 2, 2]]).state_dict(), tmp_path / "model.pt")
    load_pretrained(ROG(2, 5, [[1, 1, 1], [2, 2, 1], [2, 2, 2]]), tmp_path / "model.pt", new_head=True)
    assert "anew: head.conv2, stem.conv1.depthwise, stem.conv1.pointwise; left out: none" in caplog.text


def test_what_the_network_lacks_is_left_out_and_listed(tmp_path, caplog):
    body, extra = nn.Conv3d(1, 8, 3), nn.Conv3d(8, 2, 1)
    torch.save(nn.Sequential(body, extra).state_dict(), tmp_path / "model.pt")
    own = load_pretrained(nn.Sequential(nn.Conv3d(1, 8, 3)), tmp_path / "model.pt", new_head=True)
    assert torch.equal(own[0].weight, body.weight)
    assert "begun anew: none; left out: 1." in caplog.text


def test_less_than_half_is_no_start(tmp_path):
    """Of 2·n values n is enough, and one less is not."""
    own = nn.ModuleDict({"one": nn.Linear(3, 2), "two": nn.Linear(3, 2)})
    before = own.two.weight.clone()
    halves = {name: value for name, value in own.state_dict().items() if name.startswith("one")}
    torch.save(halves, tmp_path / "half.pt")
    load_pretrained(own, tmp_path / "half.pt", new_head=True)
    torch.save({"one.weight": own.one.weight.detach(), "two.bias": torch.zeros(2)}, tmp_path / "less.pt")
    with pytest.raises(RefusalError, match=r"Only 0 of the 16 values.*begun anew: one, two.*50% or more"):
        load_pretrained(own, tmp_path / "less.pt", new_head=True)
    assert torch.equal(own.two.weight, before)


@pytest.mark.parametrize("damage", [float("nan"), 1j])
def test_what_fits_must_be_sound_all_the_same(tmp_path, damage):
    state = nn.Conv3d(1, 8, 3).state_dict()
    state["bias"] = state["bias"] * damage
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(RefusalError, match="bias"):
        load_pretrained(nn.Conv3d(1, 8, 3), tmp_path / "model.pt", new_head=True)
