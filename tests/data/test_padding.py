"""Padding: large enough, the range of every channel as before, and exactly undone."""

from __future__ import annotations

import pytest
import torch
from data_volumes import volume
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd

from seat_components.data import PadDarkestd

SHAPES = [(2, 10, 12, 8), (2, 20, 12, 8), (2, 3, 4, 5), (2, 30, 30, 30)]
SIZE = (20, 12, 11)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_axis_is_shorter_than_the_size_and_longer_ones_stay(shape: tuple[int, ...]) -> None:
    padded = PadDarkestd("image", SIZE)({"image": volume(shape)})["image"]
    assert padded.shape[1:] == tuple(max(pair) for pair in zip(shape[1:], SIZE, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
def test_each_channel_keeps_its_range(shape: tuple[int, ...]) -> None:
    image = volume(shape)
    image[1] -= 5
    padded = PadDarkestd("image", SIZE)({"image": image})["image"]
    for before, after in zip(image, padded, strict=True):
        assert (before.min(), before.max()) == (after.min(), after.max())


def test_labels_are_padded_with_background_even_where_they_fill_the_volume() -> None:
    label = torch.ones_like(volume((1, 4, 4, 4)))
    padded = PadDarkestd(["label"], (6, 6, 6))({"label": label})["label"]
    assert padded.sum() == 4**3
    assert PadDarkestd(["label"], (6, 6, 6), label_key=None)({"label": label})["label"].sum() == 6**3


@pytest.mark.parametrize("shape", SHAPES)
def test_invertd_gives_back_the_volume(shape: tuple[int, ...]) -> None:
    transform = Compose([PadDarkestd("image", SIZE)])
    image = volume(shape, "LPS", (2.0, 1.0, 1.0))
    result = transform({"image": image})
    result["pred"] = MetaTensor(result["image"].as_tensor()[:1], meta=result["image"].meta)
    back = Invertd("pred", transform, orig_keys="image")(result)["pred"]
    assert torch.equal(back.as_tensor(), image[:1].as_tensor())
    assert torch.equal(back.affine, image.affine)
