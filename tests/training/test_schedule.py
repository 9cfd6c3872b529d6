"""Laws of the schedules: hand-worked tables, the floor of 597, and state that survives a restart."""

import math
from itertools import pairwise

import pytest

from seat_components.training import FixedSchedule, SelfAdaptiveSchedule


def g_per_epoch(schedule, norms):
    """g of epochs 1…N, where norms[i] is K̃ of epoch i + 1."""
    g = [schedule.g]
    for epoch, norm in enumerate(norms[:-1], start=1):
        g.append(schedule.update(epoch, norm))
    return "".join(map(str, g))


def blocks(factor, epochs=30):
    return [factor ** (epoch // 3) for epoch in range(epochs)]


@pytest.mark.parametrize("rule", ["always", "on_change"])
@pytest.mark.parametrize(
    ("norms", "expected"),
    [
        (blocks(1.2), "111222222333444555555555555555"),
        (blocks(0.8), "111222222222222222222222222222"),
        # 1, 1, 2, 1, 2, … per block of three epochs
        (
            [1.0 if block < 2 or block % 2 else 2.0 for block in range(10) for _ in range(3)],
            "111222222333222333222333222333",
        ),
    ],
)
def test_hand_worked_tables(rule, norms, expected):
    assert g_per_epoch(SelfAdaptiveSchedule(update_threshold=rule), norms) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("always", "1112" + "2" * 29), ("on_change", "111222222222333333444444555555555")],
)
def test_a_slow_rise_is_seen_only_against_a_threshold_that_stays(rule, expected):
    assert g_per_epoch(SelfAdaptiveSchedule(update_threshold=rule), blocks(1.05, 33)) == expected


def test_a_constant_norm_costs_the_published_floor():
    g = g_per_epoch(SelfAdaptiveSchedule(), [1.0] * 300)
    assert sum(map(int, g)) == 597
    assert sum([FixedSchedule(5).update(epoch, 1.0) for epoch in range(300)]) == 1500


@pytest.mark.parametrize("g_min", [2, 3, 4])
def test_g_never_leaves_its_range_and_moves_by_one(g_min):
    schedule = SelfAdaptiveSchedule(g_max=4, update_every=1, g_min=g_min)
    g = [schedule.update(epoch, math.exp(3 * math.sin(epoch))) for epoch in range(1, 200)]
    assert set(g) == set(range(g_min, 5))
    assert all(abs(after - before) <= 1 for before, after in pairwise(g))


def test_a_norm_that_is_not_finite_skips_the_check():
    schedule = SelfAdaptiveSchedule()
    for epoch in range(1, 6):
        schedule.update(epoch, 1.0)
    assert schedule.update(6, math.nan) == 2
    assert schedule.threshold is None
    schedule.update(9, 1.0)
    assert schedule.threshold == pytest.approx(1.1)
    schedule.update(12, math.inf)
    assert (schedule.g, schedule.threshold) == (2, pytest.approx(1.1))


def test_restored_state_goes_on_as_if_never_stopped():
    norms = [abs(math.sin(epoch)) + 0.1 for epoch in range(60)]
    whole = SelfAdaptiveSchedule()
    expected = [whole.update(epoch, norm) for epoch, norm in enumerate(norms, start=1)]
    first, second = SelfAdaptiveSchedule(), SelfAdaptiveSchedule()
    begun = [first.update(epoch, norms[epoch - 1]) for epoch in range(1, 32)]
    second.load_state_dict(first.state_dict())
    assert begun + [second.update(epoch, norms[epoch - 1]) for epoch in range(32, 61)] == expected


@pytest.mark.parametrize(
    "arguments",
    [
        *({"update_every": 0}, {"relax": 0.9}, {"relax": math.nan}, {"g_max": 1}, {"update_threshold": "never"}),
        *({"g_min": 1}, {"g_min": 6}, {"g_min": 2.5}, {"g_min": 4, "g_max": 3}),
    ],
)
def test_senseless_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        SelfAdaptiveSchedule(**arguments)


@pytest.mark.parametrize("replays", [0, -1, 1.5, None, math.inf])
def test_a_fixed_schedule_needs_a_positive_integer(replays):
    with pytest.raises(ValueError, match="replays"):
        FixedSchedule(replays)


def test_another_fixed_number_than_the_checkpoints_is_said(caplog):
    FixedSchedule(5).load_state_dict(FixedSchedule(5).state_dict())
    assert not caplog.text
    FixedSchedule(5).load_state_dict(FixedSchedule(3).state_dict())
    assert "g was 3 in the run that is resumed: from here on it is 5" in caplog.text
