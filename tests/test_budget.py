"""Laws of the intensity budget: kept to the last bit, per sample and channel, in any rank and dtype."""

import pytest
import torch

from seat_components.budget import IntensityBudget, check_eps_255
from seat_components.refusals import RefusalError

SHAPES = [(2, 1, 50), (3, 2, 7, 9), (2, 3, 5, 6, 7)]


def images(shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    scale = torch.logspace(-2, 3, shape[0] * shape[1], dtype=dtype).reshape(*shape[:2], *[1] * (len(shape) - 2))
    return scale * torch.randn(shape, generator=generator, dtype=dtype) + scale


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("eps", [0.0, 2 / 255, 8 / 255, 64 / 255, 1.0])
def test_projection_keeps_the_budget_to_the_last_bit(shape, dtype, eps):
    image = images(shape, dtype)
    budget = IntensityBudget.of(image, eps)
    span = image.amax(dim=tuple(range(2, image.ndim)), keepdim=True) - image.amin(
        dim=tuple(range(2, image.ndim)), keepdim=True
    )
    for candidate in (image + 10 * span * torch.randn_like(image), image + budget.radius, image - budget.radius):
        adversarial = budget.project(candidate, image)
        assert ((adversarial - image).abs() <= budget.radius).all()
        assert (adversarial >= budget.lo).all()
        assert (adversarial <= budget.hi).all()
        assert budget.holds(adversarial, image)
        assert budget.linf_over_budget(adversarial, image) <= 1
        assert torch.equal(budget.project(adversarial, image), adversarial)


def test_the_range_is_each_samples_and_channels_own():
    image = torch.tensor([[[0.0, 1.0], [10.0, 30.0]], [[-5.0, 5.0], [2.0, 2.0]]])
    radius = IntensityBudget.of(image, 0.1).radius.squeeze(-1)
    assert torch.allclose(radius, torch.tensor([[0.1, 2.0], [1.0, 0.0]]))


def test_bounds_replace_the_range():
    budget = IntensityBudget.of(torch.tensor([[[0.4, 0.5]]]), 0.1, bounds=(0, 1))
    assert float(budget.radius) == pytest.approx(0.1)
    assert (float(budget.lo), float(budget.hi)) == (0, 1)


def test_leaving_the_budget_is_seen():
    image = images((1, 1, 20))
    budget = IntensityBudget.of(image, 8 / 255)
    middle = image.flatten().sort().indices[10]
    outside = image.clone()
    outside[0, 0, middle] += 1.01 * budget.radius.flatten()[0]
    assert not budget.holds(outside, image)
    assert budget.linf_over_budget(outside, image) == pytest.approx(1.01, rel=1e-3)
    assert not budget.holds(torch.full_like(image, torch.nan), image)


def test_a_constant_channel_may_not_change():
    image = torch.full((1, 1, 4), 3.0)
    budget = IntensityBudget.of(image, 8 / 255)
    assert torch.equal(budget.project(image + 1, image), image)
    assert budget.linf_over_budget(image, image) == 0
    assert budget.linf_over_budget(image + 1, image) == float("inf")


@pytest.mark.parametrize("eps", [-0.1, float("nan"), float("inf")])
def test_senseless_eps_is_an_error(eps):
    with pytest.raises(ValueError, match="eps"):
        IntensityBudget.of(torch.zeros(1, 1, 2), eps)


def test_bounds_must_ascend():
    with pytest.raises(ValueError, match="bounds"):
        IntensityBudget.of(torch.zeros(1, 1, 2), 0.1, bounds=(1, 1))


def test_a_fraction_in_place_of_255ths_is_refused_and_the_other_way_round():
    with pytest.raises(RefusalError, match=r"eps_255 is 0\.0313725, but .* write 8"):
        check_eps_255(8 / 255)
    check_eps_255(0)
    check_eps_255(0.5)
    with pytest.raises(ValueError, match="eps is 8, but it is a fraction"):
        IntensityBudget.of(torch.rand(1, 1, 4), 8)
