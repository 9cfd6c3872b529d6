"""The learning rate: the published steps, a cosine over planned backpropagations, and what a resumed run does."""

import io
import math

import pytest
import torch
from torch.optim.lr_scheduler import MultiStepLR

from seat_components.refusals import RefusalError
from seat_components.training import FixedSchedule, PhasedSchedule, learning_rate_schedule

RATE = 0.08


def optimiser():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)


def rates(kind, schedule, epochs):
    """The rate of each epoch."""
    chosen = optimiser()
    scheduler = learning_rate_schedule(chosen, kind, schedule, epochs)
    seen = []
    for _ in range(epochs):
        seen.append(chosen.param_groups[0]["lr"])
        chosen.step()
        scheduler.step()
    return seen, scheduler


def test_steps_are_those_of_the_stock_scheduler():
    chosen = optimiser()
    assert isinstance(learning_rate_schedule(chosen, "step", FixedSchedule(5), 20), MultiStepLR)
    seen, _ = rates("step", FixedSchedule(5), 20)
    assert seen == pytest.approx([RATE] * 10 + [RATE / 10] * 5 + [RATE / 100] * 5)


def test_a_cosine_falls_over_backpropagations_not_over_epochs():
    schedule = PhasedSchedule(20)
    seen, scheduler = rates("cosine", schedule, 20)
    done = [sum(schedule.planned[:epoch]) / 38 for epoch in range(20)]
    assert seen == pytest.approx([RATE * 0.5 * (1 + math.cos(math.pi * share)) for share in done])
    assert seen[-1] == pytest.approx(RATE * 0.5 * (1 + math.cos(math.pi * 33 / 38)))
    assert scheduler.get_last_lr() == [pytest.approx(0)]


def test_where_g_is_fixed_it_falls_over_epochs():
    assert rates("cosine", FixedSchedule(5), 8)[0] == pytest.approx(rates("cosine", FixedSchedule(1), 8)[0])


def test_a_resumed_cosine_goes_on_and_may_not_be_prolonged():
    _, scheduler = rates("cosine", PhasedSchedule(20), 20)
    kept = io.BytesIO()
    torch.save(scheduler.state_dict(), kept)
    kept.seek(0)
    state = torch.load(kept, weights_only=True)
    same = learning_rate_schedule(optimiser(), "cosine", PhasedSchedule(20), 20)
    same.load_state_dict(state)
    assert same.get_last_lr() == scheduler.get_last_lr()
    longer = learning_rate_schedule(optimiser(), "cosine", PhasedSchedule(30), 30)
    with pytest.raises(RefusalError, match=r"falls to 0 over the 20 epochs.*finetune"):
        longer.load_state_dict(state)


def test_another_kind_is_refused():
    with pytest.raises(RefusalError, match="step or cosine"):
        learning_rate_schedule(optimiser(), "linear", FixedSchedule(1), 3)
