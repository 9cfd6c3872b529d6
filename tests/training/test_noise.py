"""The noise buffer: a view per batch, rows that stay, and honest fresh starts."""

import math
import re

import pytest
import torch

from seat_components.training.noise import NoiseBuffer, ascend_noise
from seat_components.training.statistics import EpochStatistics


def test_rows_are_views_that_remember():
    buffer = NoiseBuffer(rows=3)
    buffer.rows_for(torch.zeros(2, 1, 4)).fill_(1)
    noise = buffer.rows_for(torch.zeros(3, 1, 4))
    assert noise[:2].eq(1).all()
    assert noise[2].eq(0).all()


def test_a_batch_larger_than_announced_keeps_what_there_was():
    buffer = NoiseBuffer(rows=1)
    buffer.rows_for(torch.zeros(1, 1, 4)).fill_(1)
    assert buffer.rows_for(torch.zeros(3, 1, 4)).sum() == 4


@pytest.mark.parametrize(
    ("state", "image", "words"),
    [
        ({"noise": torch.ones(2, 3, 1, 4)}, torch.zeros(3, 1, 4), "noise of 2 processes"),
        ({"noise": torch.ones(1, 3, 1, 5)}, torch.zeros(3, 1, 4), r"patches of \(1, 5\)"),
    ],
)
def test_noise_that_does_not_fit_begins_anew_and_says_so(state, image, words, caplog):
    buffer = NoiseBuffer(rows=3)
    buffer.load_state_dict(state)
    assert buffer.rows_for(image).eq(0).all()
    assert [record for record in caplog.records if re.search(words, record.getMessage())]


def test_state_comes_back():
    first, second = NoiseBuffer(rows=2), NoiseBuffer(rows=2)
    second.load_state_dict(first.state_dict())
    first.rows_for(torch.zeros(2, 1, 4)).copy_(torch.arange(8.0).reshape(2, 1, 4))
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.rows_for(torch.zeros(2, 1, 4)), first.rows_for(torch.zeros(2, 1, 4)))


def test_ascent_steps_by_sign_stays_in_the_radius_and_ignores_what_is_not_finite():
    noise = torch.tensor([[[0.0, 0.9, 0.5, 0.5, 0.5]]])
    gradient = torch.tensor([[[-3.0, 2.0, 0.0, math.nan, math.inf]]])
    ascend_noise(noise, gradient, step=torch.full((1, 1, 1), 0.5), radius=torch.ones(1, 1, 1))
    assert torch.equal(noise, torch.tensor([[[-0.5, 1.0, 0.5, 0.5, 0.5]]]))


def test_statistics_add_up_over_pieces_of_an_epoch_and_come_back():
    whole, begun, resumed = EpochStatistics(), EpochStatistics(), EpochStatistics()
    gradients = [torch.ones(2, 1, 4), torch.full((1, 1, 4), 2.0)]
    for statistics in (whole, begun):
        statistics.count_backward(2)
        statistics.add_batch(torch.tensor(1.0), gradients[0] / 2)
    resumed.load_state_dict(begun.state_dict())
    for statistics in (whole, resumed):
        statistics.count_backward(1)
        statistics.add_batch(torch.tensor(4.0), gradients[1])
    assert whole.compute() == resumed.compute()
    assert whole.compute() == {"train_loss": 2.0, "gradient_norm": pytest.approx(16 / 3), "backpropagations": 1.0}


def test_an_epoch_without_a_finite_norm_has_none():
    statistics = EpochStatistics()
    statistics.add_batch(torch.tensor(1.0), torch.full((2, 1, 4), math.nan))
    assert math.isnan(statistics.compute()["gradient_norm"])
    assert math.isnan(EpochStatistics().compute()["train_loss"])
