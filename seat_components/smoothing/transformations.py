"""The transformations that a network is smoothed over: each a group, so that one after another is one of them again."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import Compose, NormalizeIntensityd
from monai.utils import convert_to_tensor
from torch import Tensor

from seat_components.data import ClipIntensityd
from seat_components.records.certificate import GAMMA, NOISE
from seat_components.refusals import refuse


class Smoothing:
    """Random transformations of a scan on its way into the network.

    ``gamma`` takes intensities, on a scale from 0 to 1, to the power exp(β) with β from N(0, σ²): exponents multiply,
    their logarithms add. In MRI the scale is that of each volume and channel, before clipping; in CT it is the task's
    window. ``gaussian-noise`` adds noise from N(0, σ²) to the network's input, voxel by voxel. Random numbers follow
    from (seed, case, transformation) alone.

    Args:
        transforms: the task's preprocessing, with its ``ClipIntensityd`` and ``NormalizeIntensityd``.
        ct: whether scans are CT, in HU; else MRI, scaled to [0, 1] before they are clipped.
        sigmas: transformation → σ; None leaves one out.
        seed: of the random numbers.

    Attributes:
        before: the preprocessing without clipping and normalising, which come after a transformation.

    Raises:
        RefusalError: for an unknown transformation, a σ that is not positive, or if none is left.
    """

    def __init__(self, transforms: Sequence[Any], ct: bool, sigmas: Mapping[str, float | None], seed: int = 0) -> None:
        for name, sigma in sigmas.items():
            if name not in (GAMMA, NOISE):
                refuse(f"{name!r} is no transformation to smooth over; there are {GAMMA} and {NOISE}")
            if sigma is not None and not 0 < sigma < float("inf"):
                refuse(f"sigma of {name} is {sigma!r}, but it must be a positive number, or null to leave {name} out")
        self.sigmas = {name: sigma for name, sigma in sigmas.items() if sigma is not None}
        if not self.sigmas:
            refuse("There is no transformation to smooth over: give --gamma_sigma or --noise_sigma a number.")
        after = [one for one in transforms if isinstance(one, ClipIntensityd | NormalizeIntensityd)]
        clip = next(one for one in after if isinstance(one, ClipIntensityd))
        self.before = [one for one in transforms if one not in after]
        self.seed = seed
        self._after = Compose(after)
        self._scale = (clip.lower, clip.upper) if ct else ((0.0,) * len(clip.lower), (1.0,) * len(clip.lower))

    def network_input(self, image: Tensor, log_gamma: float = 0.0) -> Tensor:
        """The network's input (1, C, *spatial) for a scan (1, C, *spatial) after ``before``, under a gamma."""
        scan = image[0]
        if log_gamma:
            low, high = (
                torch.tensor(bounds, dtype=scan.dtype, device=scan.device).reshape(-1, *[1] * (scan.ndim - 1))
                for bounds in self._scale
            )
            # MONAI's AdjustContrast takes the range of what it is given, which in a patch is another one.
            share = ((scan - low) / (high - low)).clamp(0, 1)
            scan = low + (high - low) * share ** math.exp(log_gamma)
        result: Tensor = convert_to_tensor(self._after({"image": scan})["image"], track_meta=False)
        return result[None]

    def draws(self, image: Tensor, transformation: str, case: str) -> Iterator[Tensor]:
        """The network's input for the scan under one random transformation after another, without end."""
        generator = torch.Generator().manual_seed(zlib.crc32(f"{self.seed}/{case}/{transformation}".encode()))
        sigma = self.sigmas[transformation]
        as_it_is = self.network_input(image)
        while True:
            if transformation == GAMMA:
                yield self.network_input(image, sigma * float(torch.randn((), generator=generator)))
            else:
                # Drawn on the CPU, so that a GPU sees the same.
                yield as_it_is + sigma * torch.randn(as_it_is.shape, generator=generator).to(as_it_is)
