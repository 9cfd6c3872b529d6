"""A damaged training checkpoint is refused by name, or is what was written: never a run with other weights."""

import io

import pytest
import torch
from harness import network, trainer
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Events

from seat_components.refusals import RefusalError
from seat_components.training import CleanUpdate, TrainingCheckpoint


def parts_of(seed):
    net = network(seed)
    engine = trainer(net, CleanUpdate(), [], optimizer=torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9))
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    # One step, for momenta.
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    engine.optimizer.step()
    net.load_state_dict(kept)
    engine.state.epoch_length, engine.state.max_epochs = 1, 2
    return engine, {"network": net, "optimizer": engine.optimizer}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    engine, parts = parts_of(seed=0)
    TrainingCheckpoint(folder, parts).save(engine)
    return (folder / TrainingCheckpoint.FILE_NAME).read_bytes()


def resume(folder, content):
    """Resume from these bytes; the network's weights afterwards, or the refusal's text."""
    file = folder / TrainingCheckpoint.FILE_NAME
    file.write_bytes(content)
    engine, parts = parts_of(seed=1)
    try:
        TrainingCheckpoint(folder, parts, resume=True, settings={"fold": 0}).attach(engine)
        engine.fire_event(Events.STARTED)
    except RefusalError as error:
        assert str(file) in str(error)
        return str(error)
    return parts["network"].state_dict()


def is_what_was_written(weights):
    sound = network(0).state_dict()
    return all(torch.equal(value, sound[name]) for name, value in weights.items())


def test_it_is_resumed_as_it_was_written(tmp_path, good):
    assert is_what_was_written(resume(tmp_path, good))


@given(place=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path, good, place, bit):
    content = bytearray(good)
    content[place % len(good)] ^= 1 << bit
    result = resume(tmp_path, bytes(content))
    assert isinstance(result, str) or is_what_was_written(result)


@given(kept=st.integers(0))
def test_a_cut_checkpoint_is_refused(tmp_path, good, kept):
    assert "cannot be read as a training checkpoint" in resume(tmp_path, good[: kept % len(good)])


def edited(good, change):
    content = torch.load(io.BytesIO(good), weights_only=True)
    change(content)
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def first(content):
    return next(iter(content["parts"]["network"]))


def momenta(content):
    return next(iter(content["parts"]["optimizer"]["state"].values()))


EDITS = {
    "not finite": lambda content: content["parts"]["network"][first(content)].fill_(float("nan")),
    "whole numbers": lambda content: content["parts"]["network"].update(
        {name: value.long() for name, value in content["parts"]["network"].items()}
    ),
    "text": lambda content: content["parts"]["network"].update({first(content): "text"}),
    "numbers as names": lambda content: content["parts"]["network"].update({1: torch.ones(1)}),
    "a list of weights": lambda content: content["parts"].update(network=[1, 2]),
    "no optimizer": lambda content: content["parts"].update(optimizer=None),
    "momenta that are not finite": lambda content: momenta(content)["momentum_buffer"].fill_(torch.nan),
    "momenta of another shape": lambda content: momenta(content).update(momentum_buffer=torch.ones(7)),
    "momenta in whole numbers": lambda content: momenta(content).update(
        momentum_buffer=momenta(content)["momentum_buffer"].long()
    ),
    "no random state": lambda content: content.update(random=None),
    "random states in a list": lambda content: content.update(random=[]),
    "half a batch": lambda content: content["position"].update(iteration=0.5),
    "no batch in an epoch": lambda content: content["position"].update(epoch_length=0),
    "no position": lambda content: content.update(position=None),
    "no parts": lambda content: content.update(parts=None),
    "kinds in a list": lambda content: content.update(kinds=[1]),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_of_another_kind_is_refused_by_name(tmp_path, good, edit):
    assert isinstance(resume(tmp_path, edited(good, EDITS[edit])), str)


@pytest.mark.parametrize("settings", [None, [], "text", {"fold": None}])
def test_settings_of_another_kind_are_not_compared(tmp_path, good, settings):
    assert is_what_was_written(resume(tmp_path, edited(good, lambda content: content.update(settings=settings))))
