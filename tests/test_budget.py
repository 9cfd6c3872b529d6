"""Laws of the intensity budget: kept to the last bit, per sample and channel, in any rank and dtype."""

import pytest
import torch

from seat_components.budget import BUDGETS, RANGE_OVER_STD, IntensityBudget, check_budget, check_eps_255
from seat_components.refusals import RefusalError

SHAPES = [(2, 1, 50), (3, 2, 7, 9), (2, 3, 5, 6, 7)]


def images(shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    scale = torch.logspace(-2, 3, shape[0] * shape[1], dtype=dtype).reshape(*shape[:2], *[1] * (len(shape) - 2))
    return scale * torch.randn(shape, generator=generator, dtype=dtype) + scale


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("eps", [0.0, 2 / 255, 8 / 255, 64 / 255, 1.0])
@pytest.mark.parametrize("kind", BUDGETS)
def test_projection_keeps_the_budget_to_the_last_bit(shape, dtype, eps, kind):
    image = images(shape, dtype)
    budget = IntensityBudget.of(image, eps, budget=kind)
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


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_budget_of_contrast_is_a_share_of_each_samples_and_channels_standard_deviation(dtype):
    """Within the image's own range, or bounds; that range may be stretched by a single voxel, and changes nothing."""
    image = images((2, 3, 9, 10), torch.float64).clamp(-3e3, 3e3).to(dtype)
    budget = IntensityBudget.of(image, 0.1, budget="contrast")
    expected = 0.1 * RANGE_OVER_STD * image.double().flatten(2).numpy().std(axis=2)
    assert budget.radius.dtype == dtype
    assert budget.radius.flatten(1).numpy() == pytest.approx(expected, rel=2e-3 if dtype == torch.float16 else 1e-6)
    by_range = IntensityBudget.of(image, 0.1)
    assert torch.equal(budget.lo, by_range.lo)
    assert torch.equal(budget.hi, by_range.hi)
    within = IntensityBudget.of(image, 0.1, bounds=(-1e4, 1e4), budget="contrast")
    assert torch.equal(within.radius, budget.radius)
    assert float(within.hi.max()) == 1e4


def test_both_budgets_agree_where_the_range_is_as_many_standard_deviations_as_the_constant_says():
    spread = RANGE_OVER_STD / 2  # of values −1, 1 and 0: their standard deviation is sqrt(share of the outer ones)
    outer = round(10_000 / spread**2 / 2)
    image = torch.cat([torch.full((outer,), -1.0), torch.full((outer,), 1.0), torch.zeros(10_000 - 2 * outer)])
    radii = [float(IntensityBudget.of(image[None, None], 0.1, budget=kind).radius) for kind in BUDGETS]
    assert radii[1] == pytest.approx(radii[0], rel=1e-3)


@pytest.mark.parametrize("value", [0.1, 1e4 + 0.3, -7.7])
@pytest.mark.parametrize("bounds", [None, (-1e5, 1e5)])
def test_a_constant_channel_has_no_contrast_at_all(value, bounds):
    image = torch.full((1, 1, 1001), value)
    assert float(IntensityBudget.of(image, 1.0, bounds, "contrast").radius) == 0


def test_another_budget_is_named():
    with pytest.raises(ValueError, match="budget is 'std', but it must be range or contrast"):
        IntensityBudget.of(torch.rand(1, 1, 4), 0.1, budget="std")
    for kind in ("std", None, 3):
        with pytest.raises(RefusalError, match="range or of its contrast"):
            check_budget(kind)


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
