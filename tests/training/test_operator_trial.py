"""The form of the operators: the faster one by the clock on a GPU, and the same one where a run resumes."""

import logging

import pytest
import torch
from harness import network, optimizer, trainer
from robust_runs import trainer as robust_trainer
from torch import nn

from seat_components.refusals import RefusalError
from seat_components.training import CleanUpdate, FixedSchedule
from seat_components.training.operators import OperatorTrial


class TwoForms(nn.Module):
    """A network with a choice, which notes what it was asked, and draws random numbers."""

    def __init__(self, clock=None):
        super().__init__()
        self.inner = network()
        self.operators = "stock"
        self.clock = clock
        self.samples = []

    def forward(self, image):
        self.samples.append(len(image))
        if self.clock is not None:
            self.clock.now += self.clock.costs[self.operators]
        return self.inner(nn.functional.dropout(image, 0.1, self.training))


class Clock:
    """Time passes only where the network runs."""

    def __init__(self, **costs):
        self.costs, self.now = costs, 0.0

    def __call__(self):
        return self.now


DATA = [{"image": torch.rand(4, 1, 6, 6, 6), "label": torch.ones(4, 1, 6, 6, 6, dtype=torch.int64)}]


@pytest.mark.parametrize(("costs", "faster"), [({"fast": 1, "stock": 2}, "fast"), ({"fast": 2, "stock": 1}, "stock")])
@pytest.mark.parametrize("pieces", [1, 2])
def test_the_first_batch_decides_by_the_clock(caplog, costs, faster, pieces):
    caplog.set_level(logging.INFO)
    net = TwoForms(Clock(**costs))
    engine = trainer(net, CleanUpdate(pieces), DATA, 2, FixedSchedule(1))
    OperatorTrial(pieces, net.clock).attach(engine)
    engine.run()
    assert net.operators == faster
    assert f"stock {1000 * costs['stock']:.1f} ms, fast {1000 * costs['fast']:.1f} ms" in caplog.text
    # Eight steps are timed, of a piece each; then come two epochs of one batch.
    assert net.samples == [4 // pieces] * (8 + 2 * pieces)


def test_a_trial_leaves_no_trace_in_what_is_trained():
    found = []
    for timed in (False, True):
        torch.manual_seed(3)
        net = TwoForms(Clock(fast=2, stock=1))
        engine = trainer(net, CleanUpdate(), DATA, 2, FixedSchedule(1), optimizer=optimizer(net))
        if timed:
            OperatorTrial(clock=net.clock).attach(engine)
        engine.run()
        found.append(torch.cat([parameter.detach().flatten() for parameter in net.parameters()]))
    assert torch.equal(*found)


def robust(folder, net, **options):
    return robust_trainer(folder, net=net, validator=None, **options)


@pytest.mark.parametrize(("device", "asked", "trials"), [("cpu", "auto", 0), ("cuda", "auto", 1), ("cuda", "fast", 0)])
def test_only_auto_on_a_gpu_is_timed(tmp_path, monkeypatch, device, asked, trials):
    attached = []
    monkeypatch.setattr(OperatorTrial, "attach", lambda *_: attached.append(1))
    robust(tmp_path, TwoForms(), device=torch.device(device), operators=asked)
    assert len(attached) == trials
    robust(tmp_path, network(), device=torch.device(device), operators=asked)
    assert len(attached) == trials


@pytest.mark.parametrize("asked", ["auto", "fast"])
def test_a_resumed_run_keeps_its_form(tmp_path, asked):
    net = TwoForms()
    net.operators = "fast"
    robust(tmp_path, net, max_epochs=1).run()
    again = TwoForms()
    robust(tmp_path, again, max_epochs=2, resume=True, operators=asked)
    assert again.operators == "fast"
    with pytest.raises(RefusalError, match="trained with fast operators, and stock ones round otherwise"):
        robust(tmp_path, TwoForms(), max_epochs=2, resume=True, operators="stock")


@pytest.mark.parametrize("asked", ["auto", "stock"])
def test_on_another_kind_of_device_a_run_goes_on_in_the_form_that_suits_it(tmp_path, caplog, asked):
    net = TwoForms()
    net.operators = "fast"
    robust(tmp_path, net, max_epochs=1).run()
    file = tmp_path / "training_checkpoint.pt"
    content = torch.load(file, weights_only=True)
    content["parts"]["operators"]["device"] = "cuda"
    torch.save(content, file)
    again = TwoForms()
    robust(tmp_path, again, max_epochs=2, resume=True, operators=asked).run()
    assert again.operators == "stock"
    assert "begun on cuda and goes on on cpu, with stock operators: not to the bit" in caplog.text


def test_checkpoints_from_before_there_was_a_choice_go_on(tmp_path):
    robust(tmp_path, TwoForms(), max_epochs=1).run()
    file = tmp_path / "training_checkpoint.pt"
    content = torch.load(file, weights_only=True)
    assert content["parts"].pop("operators") == {"form": "stock", "device": "cpu"}
    torch.save(content, file)
    robust(tmp_path, TwoForms(), max_epochs=2, resume=True).run()
