"""Phases of g: hand-worked lengths, what the plan costs, a resumed run, and what is refused."""

import logging
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine

from seat_components.refusals import RefusalError
from seat_components.training import GrowingSchedule, PhasedSchedule


@pytest.mark.parametrize(("epochs", "lengths", "cost"), [(20, (11, 6, 3), 38), (300, (170, 85, 45), 565)])
def test_hand_worked_lengths(epochs, lengths, cost):
    schedule = PhasedSchedule(epochs)
    assert Counter(schedule.planned) == dict(zip((1, 2, 5), lengths, strict=True))
    assert schedule.planned == sorted(schedule.planned)
    assert schedule.planned_backpropagations == cost


@st.composite
def phases(draw):
    shares = sorted(draw(st.sets(st.integers(1, 99), max_size=4)))
    return [[share / 100, draw(st.integers(1, 9))] for share in [0, *shares]]


@given(st.integers(1, 400), phases())
def test_a_run_costs_what_was_planned_and_each_phase_its_share(epochs, chosen):
    schedule = PhasedSchedule(epochs, chosen)
    assert len(schedule.planned) == epochs
    ran = [schedule.g, *(schedule.update(epoch, 1.0) for epoch in range(1, epochs))]
    assert ran == schedule.planned
    assert sum(ran) == schedule.planned_backpropagations
    ends = [*(share for share, _ in chosen[1:]), 1.0]
    total = epochs / sum((end - start) / g for (start, g), end in zip(chosen, ends, strict=True))
    # A phase's end is rounded to half an epoch at most; so is its beginning.
    assert abs(schedule.planned_backpropagations - total) <= sum(g for _, g in chosen)


def engine(epoch, max_epochs):
    made = Engine(lambda *_: None)
    made.state.epoch, made.state.max_epochs = epoch, max_epochs
    return made


def test_a_run_with_more_epochs_keeps_its_phases_and_the_last_g(caplog):
    first = PhasedSchedule(20)
    for epoch in range(1, 8):
        first.update(epoch, 1.0)
    longer = PhasedSchedule(30)
    longer.load_state_dict(first.state_dict())
    with caplog.at_level(logging.WARNING):
        longer._begin(engine(7, 30))
    assert "planned for 20 epochs: beyond them g stays at 5" in caplog.text
    assert [longer.update(epoch, 1.0) for epoch in (10, 11, 17, 20, 29)] == [1, 2, 5, 5, 5]
    assert longer.plan(25) == [*first.planned, 5, 5, 5, 5, 5]


def test_a_phase_without_an_epoch_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        PhasedSchedule(2)._begin(engine(0, 2))
    assert "none for g = 5" in caplog.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"phases": []}, "phases is []"),
        ({"phases": [[0.1, 1]]}, "rising from 0"),
        ({"phases": [[0, 1], [0.5, 2], [0.4, 5]]}, "rising from 0"),
        ({"phases": [[0, 1], [1, 5]]}, "below 1"),
        ({"phases": [[0, 1], [0.5, 2.5]]}, "whole number"),
        ({"phases": [[0, 0]]}, "whole number"),
        ({"phases": [[0, "1"]]}, "must be like"),
        ({"phases": [[0, 1, 2]]}, "must be like"),
        ({"phases": "fast"}, "must be like"),
    ],
)
def test_what_breaks_a_rule_is_refused(options, words):
    with pytest.raises(RefusalError) as refused:
        PhasedSchedule(**{"epochs": 20, **options})
    assert words in str(refused.value)


def test_growing_rises_where_the_norm_passes_the_threshold_and_never_falls():
    # Blocks of three epochs, worked out by hand: threshold 1.1 after the second, 1.32 after the fourth, 2.2 after the
    # sixth; 2.0 is below it, 3.0 above.
    norms = [norm for norm in (1.0, 1.0, 0.5, 1.2, 1.0, 2.0, 0.1, 2.0, 3.0, 9.0, 99.0) for _ in range(3)]
    schedule = GrowingSchedule()
    g = [schedule.g, *(schedule.update(epoch, norm) for epoch, norm in enumerate(norms[:-1], start=1))]
    assert "".join(map(str, g)) == "111" + "222" * 3 + "333" * 2 + "444" * 3 + "555" * 2
    assert schedule.g == 5


def test_growing_resumes_where_it_was():
    whole, half = GrowingSchedule(), GrowingSchedule()
    norms = [1.0 + 0.2 * (epoch // 3) for epoch in range(40)]
    for epoch, norm in enumerate(norms[:20], start=1):
        whole.update(epoch, norm)
        half.update(epoch, norm)
    resumed = GrowingSchedule()
    resumed.load_state_dict(half.state_dict())
    for epoch, norm in enumerate(norms[20:], start=21):
        assert resumed.update(epoch, norm) == whole.update(epoch, norm)


@pytest.mark.parametrize(("phases", "said"), [(((0, 1), (0.3, 2), (0.6, 5)), False), (((0, 3),), True)])
def test_a_resumed_run_says_where_the_phases_given_now_are_not_its_own(caplog, phases, said):
    first = PhasedSchedule(20)
    resumed = PhasedSchedule(30, phases)
    resumed.load_state_dict(first.state_dict())
    assert resumed.planned == first.planned
    assert ("planned by other phases than" in caplog.text) == said
