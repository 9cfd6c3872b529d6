"""Mixed precision as on a GPU, emulated on the CPU: float16 autocast, and a loss scale of 65536."""

import pytest
import torch
from harness import batches, network, trainer
from torch.utils._python_dispatch import TorchDispatchMode

from seat_components.networks import ROG, upsampling
from seat_components.training import CleanUpdate, FixedSchedule, FreeUpdate, PGDUpdate, RandomUpdate
from seat_components.training.update import share_out

SCALE = 65536.0


def scaled_trainer(net, update, data, g, fused=True, scale=SCALE):
    """A trainer whose scaler MONAI would make on a GPU only."""
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, fused=fused)
    options = {"amp_kwargs": {"dtype": torch.float16}, "optim_set_to_none": True, "decollate": False}
    engine = trainer(net, update, data, 1, FixedSchedule(g), optimizer=opt, **options)
    engine.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    engine.state.replays = g
    return engine


@pytest.mark.parametrize("form", ["fast", "stock"])
def test_signs_of_the_input_gradient_are_those_of_float32(monkeypatch, form):
    torch.manual_seed(0)
    net = ROG(1, 3, [[1, 1, 1], [1, 1, 1], [2, 2, 2]], operators=form)
    # As off the CPU, in the type that comes.
    monkeypatch.setattr("seat_components.networks.rog.upsample", upsampling._upsample_by_matrices)
    image, label = torch.randn(1, 1, 16, 16, 16), torch.randint(3, (1, 1, 16, 16, 16))
    gradients = []
    for engine in (trainer(net, CleanUpdate(), []), scaled_trainer(net, CleanUpdate(), [], 1)):
        engine.state.output = {}
        gradients.append(engine.iteration_update.backpropagate(engine, image, label))
    full, half = gradients
    assert half.isfinite().all()
    assert ((half / SCALE - full).norm() / full.norm()).item() < 0.02
    assert (half.sign() == full.sign()).double().mean() >= 0.995


class Overflowing(torch.nn.Module):
    """A network whose gradients of weights and image overflow in float16 at its second backward pass."""

    def __init__(self):
        super().__init__()
        self.inner = network()
        self.calls = 0

    def forward(self, image):
        self.calls += 1
        now = self.calls == 2
        logits = self.inner(image)
        logits.register_hook(lambda gradient: gradient * (1e30 if now else 1.0))
        return logits


@pytest.mark.parametrize("fused", [False, True])
def test_an_overflowing_step_is_skipped_and_counted(caplog, fused):
    net, update = Overflowing(), FreeUpdate(batch_size=2)
    data = batches(sizes=(2, 2, 2))
    engine = scaled_trainer(net, update, data, 1, fused)
    weights = []
    for batch in data:
        update(engine, batch)
        weights.append(torch.cat([parameter.detach().flatten().clone() for parameter in net.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])
    assert engine.scaler.get_scale() == SCALE / 2
    statistics = update.statistics.compute()
    assert statistics["backpropagations"] == 1
    assert 0 < statistics["gradient_norm"] < float("inf")
    assert "The gradient norm of 2 samples was not finite" in caplog.text


class Reads(TorchDispatchMode):
    """Counts what makes the host wait for a value."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.overloadpacket.__name__ in ("_local_scalar_dense", "nonzero", "is_nonzero", "equal")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "update", [CleanUpdate(), RandomUpdate(), FreeUpdate(2), PGDUpdate()], ids=lambda update: type(update).__name__
)
def test_nothing_is_read_between_replays_with_a_scaler_and_a_fused_optimiser(update):
    engine = scaled_trainer(network(), update, [], 3)
    (batch,) = batches(sizes=(2,))
    with Reads() as reads:
        for _ in range(2):
            engine.state.output = update(engine, batch)
            share_out(engine)
    assert reads.count == 0
    assert [set(item) for item in engine.state.output] == [{"image", "label", "pred", "loss"}] * 2


def test_an_optimiser_that_is_not_fused_would_be_read():
    engine = scaled_trainer(network(), CleanUpdate(), [], 1, fused=False)
    (batch,) = batches(sizes=(2,))
    with Reads() as reads:
        engine.iteration_update(engine, batch)
    assert reads.count > 0
