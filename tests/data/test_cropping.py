"""Crops by the foreground: the right size, the foreground kept, image and label together."""

from __future__ import annotations

import pytest
import torch
from data_volumes import volume
from monai.data import MetaTensor

from seat_components.data import CropAroundCentreOfMassd, CropLongVolumed
from seat_components.data.cropping import _inside

Slices = tuple[slice, slice, slice]


def sample(shape: tuple[int, int, int], foreground: Slices | None, channels: int = 1) -> dict[str, MetaTensor]:
    """An image whose values tell its voxels apart, and a label that is 1 in the box ``foreground``."""
    image = volume((channels, *shape))
    label = torch.zeros_like(image[:1])
    if foreground is not None:
        label[(slice(None), *foreground)] = 1
    return {"image": image, "label": label}


class TestCentreOfMass:
    @pytest.mark.parametrize("shape", [(20, 22, 24), (20, 6, 24), (5, 6, 7), (8, 10, 12)])
    @pytest.mark.parametrize("foreground", [None, (slice(1, 3), slice(2, 5), slice(0, 4))])
    def test_the_size_is_always_the_one_asked_for(self, shape: tuple[int, int, int], foreground: Slices | None) -> None:
        patch = CropAroundCentreOfMassd(["image", "label"], size=(8, 10, 12))(sample(shape, foreground, channels=2))
        assert patch["image"].shape == (2, 8, 10, 12)
        assert patch["label"].shape == (1, 8, 10, 12)

    def test_the_foreground_lies_in_the_middle(self) -> None:
        data = sample((30, 30, 30), (slice(12, 16), slice(9, 13), slice(20, 24)))
        label = CropAroundCentreOfMassd(["image", "label"], size=(8, 8, 8))(data)["label"][0]
        assert label.nonzero().float().mean(dim=0).tolist() == [3.5, 3.5, 3.5]

    @pytest.mark.parametrize("shape", [(20, 22, 24), (20, 6, 24), (5, 6, 7)])
    def test_undone_the_patch_is_where_it_was_cut_out_and_0_is_around_it(self, shape: tuple[int, int, int]) -> None:
        data = sample(shape, (slice(1, 3), slice(2, 5), slice(0, 4)))
        data["image"] = data["image"].abs() + 1
        crop = CropAroundCentreOfMassd(["image", "label"], size=(8, 10, 12))
        undone = crop.inverse(crop(data))
        for key, before in data.items():
            assert undone[key].shape == before.shape
            seen = undone[key] != 0
            assert torch.equal(undone[key][seen], before[seen])
        kept = [min(length, size) for length, size in zip(shape, (8, 10, 12), strict=True)]
        assert int(undone["image"].ne(0).sum()) == kept[0] * kept[1] * kept[2]

    def test_image_and_label_stay_together(self) -> None:
        data = sample((30, 30, 30), (slice(12, 16), slice(9, 13), slice(20, 24)))
        patch = CropAroundCentreOfMassd(["image", "label"], size=(8, 8, 8))(data)
        inside = data["image"][data["label"] == 1].sort().values
        assert torch.equal(patch["image"][patch["label"] == 1].sort().values.as_tensor(), inside.as_tensor())
        assert torch.equal(patch["image"].affine, patch["label"].affine)

    def test_at_the_border_the_patch_moves_inside_instead_of_being_padded(self) -> None:
        data = sample((30, 30, 30), (slice(0, 2), slice(28, 30), slice(10, 12)))
        patch = CropAroundCentreOfMassd(["image", "label"], size=(8, 8, 8))(data)
        assert torch.equal(patch["image"].as_tensor(), data["image"][:, :8, 22:, 7:15].as_tensor())

    def test_padding_leaves_each_channel_its_range(self) -> None:
        data = sample((4, 30, 30), None, channels=2)
        data["image"][1] -= 5
        padded = CropAroundCentreOfMassd(["image", "label"], size=(8, 30, 30))(data)["image"]
        for before, after in zip(data["image"], padded, strict=True):
            assert (before.min(), before.max()) == (after.min(), after.max())

    def test_padded_labels_are_background(self) -> None:
        data = sample((4, 4, 4), (slice(0, 4), slice(0, 4), slice(0, 4)))
        label = CropAroundCentreOfMassd(["image", "label"], size=(6, 6, 6))(data)["label"]
        assert label.sum() == 4**3
        assert label[0, 0].sum() == 0


class TestLongVolume:
    @pytest.mark.parametrize(
        ("filled", "first"),
        [(slice(0, 4), 0), (slice(96, 100), 70), (slice(50, 60), 40), (slice(20, 90), 40), (None, 35)],
    )
    def test_keeps_the_slices_around_the_foreground(self, filled: slice | None, first: int) -> None:
        data = sample((3, 3, 100), None if filled is None else (slice(0, 1), slice(0, 1), filled))
        cut = CropLongVolumed(["image", "label"], max_slices=30)(data)
        assert cut["image"].shape == cut["label"].shape == (1, 3, 3, 30)
        assert torch.equal(cut["image"].as_tensor(), data["image"][..., first : first + 30].as_tensor())

    def test_shorter_volumes_pass_unchanged(self) -> None:
        data = sample((3, 3, 30), None)
        assert CropLongVolumed(["image", "label"], max_slices=30)(data)["image"] is data["image"]

    def test_cuts_at_three_hundred_slices_unless_told_otherwise(self) -> None:
        assert CropLongVolumed("image")(sample((2, 2, 301), None))["image"].shape[-1] == 300


@pytest.mark.parametrize("length", range(1, 9))
@pytest.mark.parametrize("start", range(-3, 10))
def test_windows_stay_inside(start: int, length: int) -> None:
    moved = _inside(start, 4, length)
    assert moved >= 0
    assert moved + 4 <= max(length, 4)
