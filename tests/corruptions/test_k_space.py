"""Laws of what happens in k-space while the patient moves: where it happens, and what of the scan it leaves."""

import pytest
import torch
from corrupted_scans import SPACING, sphere
from monai.data import MetaTensor
from torch.nn.functional import pad

from seat_components.corruptions import Corruptd


def moved(image, case="one"):
    scan = MetaTensor(image, affine=torch.diag(torch.tensor([*SPACING, 1.0])))
    sample = {"image": scan, "label": scan, "case": case, "corruption": "motion", "severity": 5}
    return Corruptd(ct=False)(sample)["image"].as_tensor()


def test_motion_does_not_grow_with_the_air_around_the_patient():
    """Its turns go about the middle of the scan: about a corner they would carry a large scan further."""
    image = 100.0 * sphere()[1].as_tensor().float()
    sides = (0, 0, 30, 30, 40, 40)
    made = moved(pad(image, sides))[:, 40:-40, 30:-30]
    assert (made - image).abs().max() > 20
    assert float((made - moved(image)).abs().max()) < 1e-3


@pytest.mark.parametrize("slices", [1, 2, 5, 8, 10, 12, 14, 20])
def test_motion_leaves_the_centre_of_k_space_however_few_the_slices(slices):
    """So that the label stays where it is: what it leaves is the sum over the slices."""
    image = torch.rand(1, 6, 7, slices, generator=torch.Generator().manual_seed(0))
    for case in range(20):
        made = moved(image, str(case))
        assert torch.allclose(made.sum(dim=3), image.sum(dim=3), atol=1e-4)
        assert slices < 5 or not torch.allclose(made, image, atol=1e-2)
