"""How often an attack asks the network: no attack makes more passes than its algorithm needs."""

from __future__ import annotations

import pytest
from attacked_network import STEPS, SmallNetwork, each_attack, example, run
from linear_voxels import LinearVoxels

from seat_components.attacks import CountingPredictor

PASSES = {"random": (1, 0), "square": (STEPS, 0)}
"""Forward and backward passes of one restart; of the others a pass each way per step, and the last iterate's."""


@each_attack
@pytest.mark.parametrize("restarts", [1, 2])
def test_no_attack_makes_more_passes_than_its_algorithm_needs(name: str, restarts: int) -> None:
    image, label = example(batch=2)
    predictor = CountingPredictor(SmallNetwork())
    # So small a budget that nothing crosses, which would cost FAB more.
    run(name, predictor, image, label, restarts=restarts, eps=1e-4)
    forwards, backwards = PASSES.get(name, (STEPS + 1, STEPS))
    if (name, restarts) == ("random", 1):
        forwards = 0  # a single draw is taken as it is
    passes, needed = (predictor.forwards, predictor.backwards), (2 * restarts * forwards, 2 * restarts * backwards)
    if name == "fab":  # ends where it stands still
        assert 2 < passes[0] <= needed[0]
        assert passes[1] <= needed[1]
    else:
        assert passes == needed


def test_fab_ends_where_it_stands_still() -> None:
    """A voxel classifier without curvature: the first step ends at the budget's corner, and so would the second."""
    problem = LinearVoxels.draw(2, 2)
    predictor = CountingPredictor(problem)
    run("fab", predictor, problem.image, problem.label, eps=0.01, steps=50)
    assert (predictor.forwards, predictor.backwards) == (2 * 2, 2 * 2)


def test_fab_asks_once_more_where_a_step_has_crossed_and_three_times_in_the_end() -> None:
    image, label = example(batch=1)
    predictor = CountingPredictor(SmallNetwork())
    run("fab", predictor, image, label, eps=1.0)
    assert STEPS + 1 + 3 < predictor.forwards <= 2 * STEPS + 3
    assert predictor.backwards == STEPS
