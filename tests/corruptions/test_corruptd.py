"""Laws of every corruption: seeded, type and grid kept, the label moved only with the anatomy, worse by severity."""

import pytest
import torch
from corrupted_scans import corrupted, sphere

from seat_components.corruptions import CLEAN, Corruptd, corruptions_of, k_space
from seat_components.corruptions.intensities import INTENSITIES
from seat_components.corruptions.k_space import K_SPACE
from seat_components.corruptions.movements import MOVEMENTS
from seat_components.evaluation import dice_per_class
from seat_components.refusals import RefusalError

EVERY = [(ct, name) for ct in (False, True) for name in corruptions_of(ct)]
DRAWN = {"gaussian-noise", "rician-noise", "hounsfield-noise", "bias-field", "k-space-spike", *K_SPACE}
STILL = {**INTENSITIES, **K_SPACE}
# Where each severity draws a direction, a place or a field of its own, a later one may change a scan less.
DIFFERENT = {"bias-field", "k-space-spike", "gamma", *K_SPACE, *MOVEMENTS}


def test_every_corruption_of_the_table_is_made_and_none_besides():
    assert {name for _, name in EVERY} == {*STILL, *MOVEMENTS}
    assert len(STILL) == len(INTENSITIES) + len(K_SPACE)
    assert not STILL.keys() & MOVEMENTS.keys()


def test_severity_0_is_the_scan_to_the_bit():
    for made, before in zip(corrupted(CLEAN, 0), sphere(), strict=True):
        assert torch.equal(made, before)


@pytest.mark.parametrize(("ct", "name"), EVERY)
def test_a_corruption_follows_from_its_seed_and_keeps_grid_and_type(ct, name):
    image, label = corrupted(name, 3, ct)
    again, label_again = corrupted(name, 3, ct)
    assert torch.equal(image, again)
    assert torch.equal(label, label_again)
    for made, before in zip((image, label), sphere(ct=ct), strict=True):
        assert (made.shape, made.dtype) == (before.shape, before.dtype)
        assert torch.equal(made.affine, before.affine)
    assert torch.isfinite(image).all()
    assert torch.equal(label, sphere(ct=ct)[1]) is (name in STILL)


@pytest.mark.parametrize(("ct", "name"), EVERY)
def test_a_higher_severity_changes_the_image_more(ct, name):
    before = sphere(ct=ct)[0]
    images = [corrupted(name, severity, ct)[0] for severity in range(1, 6)]
    changes = [float((image - before).square().mean().sqrt()) for image in images]
    assert 0 < changes[0] < changes[-1]
    assert changes == sorted(changes) or name in DIFFERENT


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_draws_depend_on_seed_case_and_severity(name):
    ct = name in corruptions_of(True)
    first = corrupted(name, 2, ct)[0]
    assert not torch.equal(first, corrupted(name, 2, ct, seed=1)[0])
    assert not torch.equal(first, corrupted(name, 2, ct, case="two")[0])
    assert not torch.equal(first, corrupted(name, 3, ct)[0])


@pytest.mark.parametrize("name", corruptions_of(False))
def test_channels_are_corrupted_each_by_itself(name):
    image, _ = corrupted(name, 2, channels=2)
    alone, _ = corrupted(name, 2)
    assert torch.equal(image[:1], alone)
    assert image.shape[0] == 2


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("name", MOVEMENTS)
def test_the_label_moves_with_the_image(name, severity):
    """A threshold finds the sphere where the label says that it is now, and no longer where it was."""
    image, label = corrupted(name, severity)
    seen = (image > 62).long()[None]
    assert float(dice_per_class(seen, label[None].long(), 2)) > 0.93
    if severity == 5:
        assert float(dice_per_class(seen, sphere()[1][None].long(), 2)) < 0.5


def test_a_misplacement_keeps_shapes_in_mm():
    """Turned voxels that are not cubes would make an ellipsoid of the sphere."""
    _, label = corrupted("misplacement", 2)
    places = label[0].nonzero() * torch.tensor([1.0, 1.25, 2.0])
    radii = (places - places.mean(dim=0)).norm(dim=1)
    assert float(radii.max()) < 10.5
    assert int(label.sum()) == pytest.approx(int(sphere()[1].sum()), rel=0.05)


def test_resolution_is_lost_along_the_axis_of_largest_spacing_alone():
    changes = []
    for axis in range(3):
        image, label = sphere()
        shape = [1, 1, 1, 1]
        shape[axis + 1] = -1
        image[:] = (torch.arange(image.shape[axis + 1]) % 2).float().reshape(shape)
        sample = {"image": image, "label": label, "case": "one", "corruption": "low-resolution", "severity": 2}
        changes.append(float((Corruptd(ct=False)(sample)["image"] - image).abs().max()))
    assert changes[:2] == pytest.approx([0, 0], abs=1e-6)
    assert changes[2] > 0.4


@pytest.mark.parametrize(("ct", "name"), EVERY)
def test_an_empty_scan_stays_finite(ct, name):
    image, label = sphere()
    sample = {"image": image * 0, "label": label, "case": "one", "corruption": name, "severity": 5}
    assert torch.isfinite(Corruptd(ct)(sample)["image"]).all()


def test_mri_is_refused_without_torchio_and_ct_is_not(monkeypatch):
    monkeypatch.setattr(k_space, "find_spec", lambda _: None)
    with pytest.raises(RefusalError, match="pip install torchio"):
        Corruptd(ct=False)
    Corruptd(ct=True)
