"""Transformations: groups on the stated scale, drawn from seed, case and name alone, refused where they are none."""

from itertools import islice

import pytest
import torch
from bundle_runs import refusal
from closed_forms import SIGMAS, smoothing, voxels
from monai.data import MetaTensor
from monai.transforms import Compose, NormalizeIntensityd

from seat_components.data import ClipIntensityd, PadDarkestd
from seat_components.records.certificate import GAMMA, NOISE
from seat_components.smoothing import Smoothing

CT = {"ct": True, "low": -100.0, "high": 300.0}


def of_the_kind(ct):
    one = smoothing(**CT) if ct else smoothing()
    return one, 400 * voxels() - 100 if ct else voxels()


@pytest.mark.parametrize("ct", [False, True])
def test_one_gamma_after_another_is_the_gamma_of_their_product(ct):
    one, scan = of_the_kind(ct)
    once = one.network_input(scan, 0.3 - 0.7)
    twice = one.network_input(one.network_input(scan, 0.3), -0.7)
    assert torch.allclose(twice, once, rtol=1e-5, atol=1e-3 if ct else 0)
    assert not torch.allclose(once, scan, rtol=1e-2)
    assert torch.allclose(
        one.network_input(one.network_input(scan, 0.5), -0.5), scan, rtol=1e-4, atol=1e-2 if ct else 0
    )


def test_gamma_acts_on_the_tasks_window_in_ct():
    one, _ = of_the_kind(ct=True)
    scan = torch.tensor([-500.0, -100.0, 0.0, 300.0, 2000.0]).reshape(1, 1, 5, 1, 1)
    made = one.network_input(scan, float(torch.tensor(2.0).log())).flatten().tolist()
    assert made == pytest.approx([-100, -100, 400 * 0.25**2 - 100, 300, 300])


@pytest.mark.parametrize("name", [GAMMA, NOISE])
def test_draws_follow_from_seed_case_and_transformation_alone(name):
    def drawn(case="one", **options):
        return torch.stack(list(islice(smoothing(**options).draws(voxels(), name, case), 3)))

    assert torch.equal(drawn(), drawn())
    assert torch.equal(drawn(), drawn(sigmas={**SIGMAS, {GAMMA: NOISE, NOISE: GAMMA}[name]: None}))
    assert not torch.equal(drawn(), drawn(case="two"))
    assert not torch.equal(drawn(), drawn(seed=1))


def test_noise_has_its_standard_deviation():
    noise = torch.stack(list(islice(smoothing().draws(voxels(), NOISE, "one"), 400))) - voxels()
    assert float(noise.std()) == pytest.approx(SIGMAS[NOISE], rel=0.05)


@pytest.mark.parametrize(
    ("sigmas", "rule"),
    [
        ({GAMMA: None, NOISE: None}, "no transformation to smooth over: give --gamma_sigma"),
        ({GAMMA: -0.1}, "sigma of gamma is -0.1"),
        ({NOISE: 0}, "sigma of gaussian-noise is 0"),
        ({"scale": 0.1}, "'scale' is no transformation"),
    ],
)
def test_what_does_not_fit_is_refused(sigmas, rule):
    assert rule in refusal(smoothing, sigmas=sigmas)


@pytest.mark.parametrize("ct", [False, True])
def test_what_is_padded_before_clipping_is_what_is_padded_after_it_to_the_bit(ct):
    scan = 300 * torch.randn((2, 5, 6, 7), generator=torch.Generator().manual_seed(0))
    clip = ClipIntensityd("image", [-100.0, -50.0], [200.0, 300.0])
    normalise = NormalizeIntensityd("image", subtrahend=[1.5, 2.7], divisor=[33.0, 44.0], channel_wise=True)
    pad = PadDarkestd("image", (8, 8, 8))
    expected = Compose([clip, normalise, pad])({"image": MetaTensor(scan)})["image"]
    padded = pad({"image": MetaTensor(scan)})["image"].as_tensor()[None]
    made = Smoothing([clip, normalise], ct, SIGMAS).network_input(padded)
    assert torch.equal(made[0], expected.as_tensor())
