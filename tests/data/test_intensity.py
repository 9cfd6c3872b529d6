"""Intensities: clipped per channel; brightened by one constant per channel; constant channels stay finite."""

from __future__ import annotations

import pytest
import torch
from data_volumes import volume
from monai.data import MetaTensor
from monai.transforms import ScaleIntensityd

from seat_components.data import ClipIntensityd, RandGaussianBrightnessd


def test_clipping_keeps_each_channel_in_its_interval_and_the_rest_as_it_is() -> None:
    image = volume((2, 6, 5, 4))
    clipped = ClipIntensityd("image", lower=[0.2, 0.5], upper=[0.4, 0.9])({"image": image})["image"]
    for channel, (low, high) in enumerate([(0.2, 0.4), (0.5, 0.9)]):
        assert torch.equal(clipped[channel].as_tensor(), image[channel].as_tensor().clamp(low, high))


def test_clipping_keeps_the_metadata() -> None:
    image = volume((1, 6, 5, 4), "LPS", (2.0, 1.0, 1.0))
    clipped = ClipIntensityd("image", [0.2], [0.4])({"image": image})["image"]
    assert isinstance(clipped, MetaTensor)
    assert torch.equal(clipped.affine, image.affine)


def test_clipping_wants_one_ascending_pair_per_channel() -> None:
    for lower, upper in ([0.0], [1.0, 2.0]), ([1.0], [0.0]):
        with pytest.raises(ValueError, match="must pair up"):
            ClipIntensityd("image", lower, upper)
    with pytest.raises(ValueError, match="has 2 channels, but bounds are given for 1"):
        ClipIntensityd("image", [0.0], [1.0])({"image": volume((2, 4, 4, 4))})


def test_brightness_adds_one_constant_per_channel() -> None:
    image = volume((2, 6, 5, 4))
    brighten = RandGaussianBrightnessd("image", prob=1.0).set_random_state(0)
    difference = (brighten({"image": image})["image"] - image).as_tensor().flatten(1)
    assert torch.allclose(difference, difference[:, :1].expand_as(difference), atol=1e-6)
    assert abs(difference[0, 0] - difference[1, 0]) > 0.01


def test_brightness_has_the_probability_and_the_spread_asked_for() -> None:
    brighten = RandGaussianBrightnessd("image", prob=0.3, std=2.0).set_random_state(0)
    zero = torch.zeros(1, 1, 1, 1)
    shifts = torch.stack([brighten({"image": zero})["image"].flatten()[0] for _ in range(3000)])
    applied = shifts[shifts != 0]
    assert len(applied) / 3000 == pytest.approx(0.3, abs=0.03)
    assert float(applied.mean()) == pytest.approx(0.0, abs=0.2)
    assert float(applied.std()) == pytest.approx(2.0, abs=0.2)


def test_min_max_scaling_of_a_constant_channel_is_finite() -> None:
    image = volume((2, 6, 5, 4))
    image[1] = 37.0
    scaled = ScaleIntensityd("image", channel_wise=True)({"image": image})["image"]
    assert scaled.isfinite().all()
    assert (scaled[0].min(), scaled[0].max()) == (0, 1)
    assert (scaled[1] == 0).all()
