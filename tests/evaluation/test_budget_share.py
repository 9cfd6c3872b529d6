"""What a budget amounts to on a case: ε_b in standard deviations of the image and of its foreground."""

import pytest
import torch

from seat_components.attacks.reading import Reading
from seat_components.budget import IntensityBudget
from seat_components.evaluation.budget_share import budget_share
from seat_components.evaluation.case import Case


def shares(image, label, reading=None):
    """(of the image, of the foreground) at a tenth of the range."""
    found = budget_share(Case("one", 0, image, label), 25.5, IntensityBudget.of(image, 0.1), reading or Reading())
    assert (found.case, found.eps_255) == ("one", 25.5)
    return found.image, found.foreground


IMAGE = torch.tensor([[[0.0, 10.0, 4.0, 6.0]]])
LABEL = torch.tensor([[[0, 0, 1, 2]]])


def test_of_one_channel():
    assert shares(IMAGE, LABEL) == pytest.approx((1 / 13**0.5, 1.0))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 3e4])
def test_it_has_no_unit(scale):
    assert shares(scale * IMAGE + scale, LABEL) == pytest.approx((1 / 13**0.5, 1.0), rel=1e-5)


def test_it_is_the_mean_over_channels_without_constant_ones():
    other = torch.tensor([[[0.0, 1.0, 1.0, 0.0]]])
    constant = torch.full_like(IMAGE, 0.1)
    found = shares(torch.cat([IMAGE, constant, other], dim=1), LABEL)
    assert found == pytest.approx(((1 / 13**0.5 + 0.2) / 2, (1.0 + 0.2) / 2))
    assert shares(constant, LABEL) == (None, None)


def test_what_is_not_labelled_or_does_not_count_is_no_foreground():
    assert shares(IMAGE, torch.zeros_like(LABEL))[1] is None
    assert shares(IMAGE, torch.tensor([[[0, 0, 1, 0]]]))[1] is None
    partly = torch.tensor([[[255, 0, 1, 2]]])
    assert shares(IMAGE, partly, Reading(ignore_index=255)) == pytest.approx((1 / 13**0.5, 1.0))


def test_structures_that_overlap_are_one_foreground():
    label = torch.tensor([[[0, 0, 1, 0], [0, 0, 1, 1]]])
    assert shares(IMAGE, label, Reading("sigmoid")) == pytest.approx((1 / 13**0.5, 1.0))
