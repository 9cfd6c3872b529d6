"""Corruptions that leave the anatomy where it is: what each is, in MONAI's transforms of one channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from monai.transforms import (
    AdjustContrast,
    Compose,
    GaussianSmooth,
    KSpaceSpikeNoise,
    RandBiasField,
    RandGaussianNoise,
    RandRicianNoise,
    Resize,
    ScaleIntensity,
    ScaleIntensityRange,
    ShiftIntensity,
    Transform,
)
from monai.transforms.utils import Fourier
from numpy.random import RandomState
from torch import Tensor

from seat_components.corruptions.directions import either_way

_SOFT_TISSUE_HU = 40.0

_Making = Callable[[Tensor, float, RandomState, Sequence[float]], Transform]
"""(channel (1, *spatial), the severity's value, random numbers, voxel spacing in mm) → the transform."""


def _gaussian_noise(channel: Tensor, value: float, random: RandomState, _: Sequence[float]) -> Transform:
    return _noise(value * float(channel.std()), random)


def _hounsfield_noise(_: Tensor, value: float, random: RandomState, __: Sequence[float]) -> Transform:
    return _noise(value, random)


def _noise(std: float, random: RandomState) -> Transform:
    return RandGaussianNoise(prob=1.0, std=std, sample_std=False).set_random_state(state=random)


def _rician_noise(_: Tensor, value: float, random: RandomState, __: Sequence[float]) -> Transform:
    return RandRicianNoise(prob=1.0, std=value, relative=True, sample_std=False).set_random_state(state=random)


def _bias_field(_: Tensor, value: float, random: RandomState, __: Sequence[float]) -> Transform:
    return RandBiasField(prob=1.0, degree=3, coeff_range=(-value, value)).set_random_state(state=random)


def _k_space_spike(channel: Tensor, value: float, random: RandomState, _: Sequence[float]) -> Transform:
    largest = float(Fourier.shift_fourier(channel, channel.ndim - 1).abs().max())
    place = tuple(int(random.randint(size)) for size in channel.shape[1:])
    return KSpaceSpikeNoise(loc=place, k_intensity=math.log(value * largest + 1e-10))


def _gamma(_: Tensor, value: float, random: RandomState, __: Sequence[float]) -> Transform:
    return AdjustContrast(gamma=math.exp(either_way(random) * value))


def _hounsfield_offset(_: Tensor, value: float, random: RandomState, __: Sequence[float]) -> Transform:
    return ShiftIntensity(offset=either_way(random) * value)


def _hounsfield_contrast(_: Tensor, value: float, random: RandomState, __: Sequence[float]) -> Transform:
    return ScaleIntensity(minv=None, maxv=None, factor=either_way(random) * value)


def _window(_: Tensor, value: float, __: RandomState, ___: Sequence[float]) -> Transform:
    low, high = _SOFT_TISSUE_HU - value / 2, _SOFT_TISSUE_HU + value / 2
    return ScaleIntensityRange(a_min=low, a_max=high, b_min=low, b_max=high, clip=True)


def _blur(_: Tensor, value: float, __: RandomState, spacing: Sequence[float]) -> Transform:
    return GaussianSmooth(sigma=[value / step for step in spacing])


def _low_resolution(channel: Tensor, value: float, _: RandomState, spacing: Sequence[float]) -> Transform:
    size = [int(length) for length in channel.shape[1:]]
    # The last of equals, which is along the body.
    axis = max(range(len(size)), key=lambda place: (round(spacing[place], 3), place))
    thick = [max(1, round(length / value)) if place == axis else length for place, length in enumerate(size)]
    # The mean over each thick slice, as a scanner measures it.
    return Compose([Resize(thick, mode="area"), Resize(size, mode="trilinear")])


INTENSITIES: Mapping[str, _Making] = {
    "gaussian-noise": _gaussian_noise,
    "rician-noise": _rician_noise,
    "bias-field": _bias_field,
    "k-space-spike": _k_space_spike,
    "gamma": _gamma,
    "hounsfield-noise": _hounsfield_noise,
    "hounsfield-offset": _hounsfield_offset,
    "hounsfield-contrast": _hounsfield_contrast,
    "window": _window,
    "blur": _blur,
    "low-resolution": _low_resolution,
}
