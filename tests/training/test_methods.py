"""The updates against a plain loop; noise that moves; what the network really sees; what backward() really costs."""

import copy
from unittest.mock import Mock

import pytest
import torch
from harness import batches, network, plain_free, trainer
from ignite.engine import Events
from monai.engines.utils import IterationEvents

from seat_components.budget import IntensityBudget
from seat_components.refusals import RefusalError
from seat_components.training import (
    CleanUpdate,
    FixedSchedule,
    FreeUpdate,
    NFGSMUpdate,
    PGDUpdate,
    RandomUpdate,
    SelfAdaptiveSchedule,
)


def weights(net):
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def train(update, g, data, net=None, epochs=1):
    net = network() if net is None else net
    engine = trainer(net, update, data, epochs, FixedSchedule(g))
    engine.run()
    return net, engine


@pytest.mark.parametrize("g", [1, 2, 5])
def test_free_is_bit_equal_to_a_plain_loop(g):
    data = batches()
    expected = network()
    delta, norm = plain_free(expected, data, g, rows=4)
    update = FreeUpdate(batch_size=4)
    net, engine = train(update, g, data)
    assert torch.equal(weights(net), weights(expected))
    noise = update.state_dict()["noise"]
    assert noise is None if g == 1 else torch.equal(noise[0], delta)
    assert engine.state.gradient_norm == pytest.approx(norm, rel=1e-6)
    assert engine.state.backpropagations == g


# How to make each, its g, and its bound in ε_b.
UPDATES = {
    "random": (RandomUpdate, 1, 1),
    "free": (lambda **options: FreeUpdate(4, **options), 3, 1),
    "pgd": (PGDUpdate, 3, 1),
    "nfgsm": (NFGSMUpdate, 2, 3),
}


@pytest.mark.parametrize("method", UPDATES)
def test_no_image_leaves_the_budget_that_it_is_trained_with(method):
    """One bright voxel stretches the range: a share of the contrast is far less."""
    data = batches(sizes=(4,))
    data[0]["image"][:, :, 0, 0, 0] *= 100
    image = data[0]["image"]
    make, g, bound = UPDATES[method]
    for budget in ("range", "contrast"):
        allowed, seen = IntensityBudget.of(image, 16 / 255, budget=budget), []
        net = network()
        net.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0].detach()))
        train(make(eps_255=16, budget=budget), g, data, net)
        moved = [allowed.linf_over_budget(one, image) for one in seen]
        assert bound * 0.98 < max(moved) <= bound * (1 + 1e-5)
        assert all(((one >= allowed.lo) & (one <= allowed.hi)).all() for one in seen)


@pytest.mark.parametrize("make", [FreeUpdate, PGDUpdate, RandomUpdate])
def test_a_budget_of_another_word_is_refused(make):
    with pytest.raises(RefusalError, match="budget is 'std'"):
        make(4, budget="std")


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_schedule_among_the_handlers_sees_its_own_epochs_norm(where):
    """Nothing but the schedule need be attached, whatever other handlers there are."""
    seen = []

    class Schedule(SelfAdaptiveSchedule):
        def update(self, epoch, gradient_norm):
            seen.append((epoch, gradient_norm))
            return super().update(epoch, gradient_norm)

    norms = []
    probe = Mock(
        attach=lambda engine: engine.add_event_handler(
            Events.EPOCH_COMPLETED, lambda engine: norms.append((engine.state.epoch, engine.state.gradient_norm))
        )
    )
    schedule = Schedule(update_every=1)
    handlers = [schedule, probe] if where == "before" else [probe, schedule]
    engine = trainer(network(), FreeUpdate(batch_size=4), batches(), epochs=3, train_handlers=handlers)
    engine.run()
    assert seen == norms
    assert len({norm for _, norm in norms}) == len(norms) == 3
    assert engine.state.replays == schedule.g


@pytest.mark.parametrize("update", [FreeUpdate(batch_size=4), PGDUpdate()])
def test_a_method_without_a_schedule_says_so(update):
    with pytest.raises(RefusalError, match="attach FixedSchedule"):
        trainer(network(), update, batches()).run()


class Recorder(torch.nn.Module):
    """Remembers every input."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.seen = []

    def forward(self, inputs):
        self.seen.append(inputs.detach().clone())
        return self.inner(inputs)


def test_every_replay_sees_the_clamped_perturbed_image():
    data = batches(sizes=(2, 2))
    net = Recorder(network())
    update = FreeUpdate(batch_size=2)
    train(update, 3, data, net=net)
    assert len(net.seen) == 6
    for index, inputs in enumerate(net.seen):
        image = data[index // 3]["image"]
        lo, hi = image.amin((2, 3, 4), keepdim=True), image.amax((2, 3, 4), keepdim=True)
        radius = 8 / 255 * (hi - lo)
        assert (inputs >= lo).all()
        assert (inputs <= hi).all()
        assert ((inputs - image).abs() <= radius * (1 + 1e-5)).all()
        # δ is 0 only before the first step of all; afterwards most voxels must have moved.
        moved = (inputs != image).double().mean()
        assert moved == 0 if index == 0 else moved > 0.5


def test_noise_moves_after_one_step_by_half_the_radius():
    data = batches(sizes=(2,))
    update = FreeUpdate(batch_size=2)
    train(update, 2, data)
    image = data[0]["image"]
    radius = 8 / 255 * (image.amax((2, 3, 4), keepdim=True) - image.amin((2, 3, 4), keepdim=True))
    noise = update.state_dict()["noise"][0]
    steps = (noise / (0.5 * radius)).abs()
    assert noise.any()
    assert torch.isclose(steps, steps.round(), atol=1e-5).all()


def test_a_smaller_batch_leaves_the_other_rows_alone():
    update = FreeUpdate(batch_size=4)
    data = batches(sizes=(4, 2))
    train(update, 2, data[:1])
    before = update.state_dict()["noise"].clone()
    train(update, 2, data[1:])
    after = update.state_dict()["noise"]
    assert torch.equal(before[0, 2:], after[0, 2:])
    assert not torch.equal(before[0, :2], after[0, :2])


def test_clean_epochs_leave_the_noise_alone():
    update = FreeUpdate(batch_size=4)
    data = batches(sizes=(4,))
    train(update, 2, data)
    before = update.state_dict()["noise"].clone()
    train(update, 1, batches(sizes=(4,), seed=5))
    assert torch.equal(update.state_dict()["noise"], before)


@pytest.mark.parametrize("pieces", [2, 3, 4])
@pytest.mark.parametrize("g", [1, 3])
def test_pieces_equal_the_whole_batch(g, pieces):
    whole, split = FreeUpdate(batch_size=4), FreeUpdate(batch_size=4, pieces=pieces)
    net, engine = train(whole, g, batches())
    other, engine_split = train(split, g, batches())
    assert torch.allclose(weights(net), weights(other), atol=1e-5)
    assert engine_split.state.gradient_norm == pytest.approx(engine.state.gradient_norm, rel=1e-4)
    assert engine_split.state.train_loss == pytest.approx(engine.state.train_loss, rel=1e-5)
    assert engine_split.state.backpropagations == engine.state.backpropagations == g


def test_the_gradient_norm_does_not_depend_on_the_batch_size():
    # With the weights held still, K̃ over the same samples must be the same however they are batched.
    image, label = torch.randn(12, 1, 6, 6, 6), torch.randint(0, 3, (12, 1, 6, 6, 6))
    norms = []
    for size in (1, 3, 5, 12):
        net = network()
        data = [
            {"image": image[start : start + size], "label": label[start : start + size]} for start in range(0, 12, size)
        ]
        update = CleanUpdate()
        engine = trainer(net, update, data, 1, FixedSchedule(1), optimizer=torch.optim.SGD(net.parameters(), lr=0.0))
        engine.run()
        norms.append(engine.state.gradient_norm)
    assert norms == pytest.approx([norms[0]] * 4, rel=1e-5)


def count_backward(monkeypatch):
    calls = []
    original = torch.Tensor.backward

    def counted(self, *arguments, **options):
        calls.append(1)
        return original(self, *arguments, **options)

    monkeypatch.setattr(torch.Tensor, "backward", counted)
    return calls


@pytest.mark.parametrize(
    ("update", "g"),
    [
        (CleanUpdate(), 1),
        (RandomUpdate(), 1),
        (FreeUpdate(batch_size=4), 1),
        (FreeUpdate(batch_size=4), 4),
        (PGDUpdate(), 6),
        (NFGSMUpdate(), 2),
    ],
)
def test_backpropagations_agree_with_a_counter_in_backward(update, g, monkeypatch):
    calls = count_backward(monkeypatch)
    data = batches(sizes=(4, 4, 3))
    _, engine = train(update, g, data)
    assert len(calls) == g * len(data)
    assert engine.state.backpropagations == g


def test_attack_steps_of_pgd_leave_running_statistics_alone():
    """They are those of the images that were trained on, as if the attack had never asked the network."""
    net = torch.nn.Sequential(torch.nn.Conv3d(1, 3, 1), torch.nn.BatchNorm3d(3), torch.nn.Conv3d(3, 3, 1))
    alone = copy.deepcopy(net).train()
    still = torch.optim.SGD(net.parameters(), lr=0)
    engine = trainer(net, PGDUpdate(), batches(), 1, FixedSchedule(4), optimizer=still)
    engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, lambda engine: alone(engine.state.output["image"]))
    engine.run()
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value)
    assert net[1].num_batches_tracked == len(batches())


@pytest.mark.parametrize("update", [RandomUpdate(seed=3), PGDUpdate(seed=3), NFGSMUpdate(seed=3)])
def test_random_methods_repeat_with_their_seed(update):
    data, seen = batches(sizes=(3,)), []
    for repeat in (update, type(update)(seed=3), type(update)(seed=4)):
        net = Recorder(network())
        train(repeat, 1 if isinstance(update, RandomUpdate) else 3, data, net=net)
        seen.append(net.seen[-1])
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


class Explosive(torch.nn.Module):
    """A network whose gradient at the input is not finite for the first sample."""

    def __init__(self):
        super().__init__()
        self.inner = network()

    def forward(self, inputs):
        copied = inputs.clone()
        copied.register_hook(lambda g: torch.cat([g[:1] * float("inf"), g[1:]]))
        return self.inner(copied)


def test_a_gradient_that_is_not_finite_reaches_neither_noise_nor_norm():
    update = FreeUpdate(batch_size=2)
    net = Explosive()
    data = batches(sizes=(2,))
    net, engine = train(update, 2, data, net=net)
    noise = update.state_dict()["noise"][0]
    assert noise.isfinite().all()
    assert not noise[0].any()
    assert noise[1].any()
    assert 0 < engine.state.gradient_norm < float("inf")


def test_a_constant_channel_has_no_budget_and_no_nan():
    image = torch.randn(2, 2, 6, 6, 6)
    image[:, 1] = 3.0
    net = network(channels=2)
    update = FreeUpdate(batch_size=2)
    train(update, 3, [{"image": image, "label": torch.randint(0, 3, (2, 1, 6, 6, 6))}], net=net)
    noise = update.state_dict()["noise"][0]
    assert noise[:, 0].any()
    assert not noise[:, 1].any()
    assert weights(net).isfinite().all()


@pytest.mark.parametrize("arguments", [{"eps_255": -1}, {"eps_255": 256}, {"step_ratio": 0}, {"eps_255": float("nan")}])
def test_senseless_budgets_are_refused(arguments):
    with pytest.raises(RefusalError, match=next(iter(arguments))):
        FreeUpdate(batch_size=1, **arguments)
