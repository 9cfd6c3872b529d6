"""A batch is trained on where it lies: nothing of it is made on the CPU, and the host never waits for a value.

On the meta device nothing has a value: reading one raises, and so does mixing in a tensor of another device.
"""

import pytest
import torch
from harness import network, optimizer, trainer

from seat_components.networks.rog import MEMORY_MODES, ROG
from seat_components.training import CleanUpdate, FreeUpdate, PGDUpdate, RandomUpdate
from seat_components.training.update import share_out

META = torch.device("meta")
UPDATES = {
    "clean": CleanUpdate,
    "random": RandomUpdate,
    "FREE": lambda pieces=1: FreeUpdate(batch_size=4, pieces=pieces),
    "PGD": PGDUpdate,
}


def train_a_batch(net, update):
    # Decollating, which MONAI does after the batch, reads the loss once; ``share_out`` does not.
    engine = trainer(net, update, [], optimizer=optimizer(net), device=META, decollate=False)
    engine.state.replays = 3
    batch = {
        "image": torch.rand(3, 1, 16, 16, 16, device=META),
        "label": torch.ones(3, 1, 16, 16, 16, device=META, dtype=torch.int64),
    }
    engine.state.output = output = update(engine, batch)
    share_out(engine)
    assert len(engine.state.output) == 3
    assert output["loss"].device == output["image"].device == META
    assert all(parameter.grad.device == META for parameter in net.parameters())


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("method", UPDATES)
def test_a_method_needs_no_other_device_and_no_value(method, pieces):
    train_a_batch(network().to(META), UPDATES[method](pieces=pieces))


@pytest.mark.parametrize("form", ["fast", "stock"])
@pytest.mark.parametrize("mode", MEMORY_MODES)
def test_the_network_needs_no_other_device_and_no_value(mode, form):
    net = ROG(1, 3, ((1, 1, 1), (1, 1, 1), (2, 2, 2)), memory=mode, operators=form).to(META)
    train_a_batch(net, CleanUpdate())
