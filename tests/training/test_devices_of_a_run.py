"""What a run asks of its devices: only its own GPU's random state, its own kernels; what a batch leaves to handlers."""

import copy
from types import SimpleNamespace

import pytest
import torch
from harness import network
from monai.engines.utils import IterationEvents
from monai.handlers import from_engine
from robust_runs import trainer as robust_trainer

from seat_components.training import random_state
from seat_components.training.parts import take_over


@pytest.fixture
def gpus(monkeypatch):
    """A machine with GPUs, whose generators' states are their names; what is asked of which is noted."""
    asked = []
    fake = SimpleNamespace(
        is_available=lambda: True,
        get_rng_state=lambda device="cuda": asked.append(device) or torch.tensor([len(str(device))]),
        set_rng_state=lambda _state, device="cuda": asked.append(device),
    )
    monkeypatch.setattr(random_state.torch, "cuda", fake)
    return asked


def test_a_run_on_a_cpu_asks_no_gpu(gpus):
    state = random_state.random_state("cpu")
    assert set(state) == {"torch"}
    random_state.set_random_state({**state, "cuda": torch.zeros(1, 1)}, "cpu")
    assert gpus == []


def test_a_run_on_the_second_gpu_keeps_that_ones_state(gpus):
    device = torch.device("cuda:1")
    random_state.set_random_state(random_state.random_state(device), device)
    assert gpus == [device, device]


def test_a_resumed_optimiser_keeps_the_kernels_of_this_machine():
    net = network()
    before = torch.optim.SGD(net.parameters(), lr=1, momentum=0.9)
    now = torch.optim.SGD(net.parameters(), lr=2, momentum=0.9, fused=True)
    take_over(now, copy.deepcopy(before.state_dict()))
    assert now.param_groups[0]["fused"] is True
    assert now.param_groups[0]["lr"] == 1


@pytest.mark.parametrize("decollate", [False, True])
def test_handlers_find_what_decollating_gives(tmp_path, decollate):
    losses, shapes = [], []

    def note(engine):
        losses.append(float(from_engine(["loss"], first=True)(engine.state.output)))
        predictions, labels = from_engine(["pred", "label"])(engine.state.output)
        shapes.append(([tuple(one.shape) for one in predictions], [tuple(one.shape) for one in labels]))

    engine = robust_trainer(tmp_path, max_epochs=1, decollate=decollate)
    engine.add_event_handler(IterationEvents.MODEL_COMPLETED, note)
    engine.run()
    assert shapes == [([(3, 6, 6, 6)] * 2, [(1, 6, 6, 6)] * 2)] * 3
    assert sum(losses) / 3 == pytest.approx(engine.state.train_loss)


def test_gradients_are_set_to_none(tmp_path):
    engine, given = robust_trainer(tmp_path, max_epochs=1), []
    original = engine.optimizer.zero_grad
    engine.optimizer.zero_grad = lambda set_to_none: given.append(set_to_none) or original(set_to_none)
    engine.run()
    assert given == [True] * len(given)
    assert given
