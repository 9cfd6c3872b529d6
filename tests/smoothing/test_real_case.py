"""The shipped network on a real case: no gamma of the certified range changes a guaranteed voxel."""

from pathlib import Path

import pytest
import torch
from bundle_runs import workflow

from seat_components.records.certificate import GAMMA
from seat_components.smoothing import smoothed

BUNDLE = Path(__file__).parents[2] / "bundles" / "msd_task04_hippocampus"
SIGMA = 0.4
STEPS = 41


@pytest.mark.slow
def test_an_attacker_in_the_range_of_gamma_changes_no_guaranteed_voxel(real_task04, tmp_path):
    """The answers on a grid of β give the smoothed network's probabilities after any gamma, as exponents add up."""
    folders = {"dataset_dir": str(real_task04), "output_dir": str(tmp_path)}
    parser = workflow(
        BUNDLE, ["train", "certify"], **folders, max_cases=1, val_patch_size=[16, 16, 16], gamma_sigma=SIGMA
    ).parser
    (sample, *_) = parser.get_parsed_content("validate#dataset")
    smoothing, network = (parser.get_parsed_content(name) for name in ("smoothing", "network"))
    network.eval()
    scan = sample["image"].as_tensor()[None]

    @torch.no_grad()
    def answer(network_input):
        return network(network_input).argmax(dim=1)[0]

    found = smoothed(map(answer, smoothing.draws(scan, GAMMA, sample["case"])), 3, 3, 40, 0.999)
    foreground = found.classes > 0
    assert foreground.sum() > 100
    assert (found.radius[foreground] > 0).float().mean() > 0.2
    grid = torch.linspace(-4.5, 4.5, STEPS, dtype=torch.float64)
    given = torch.stack([answer(smoothing.network_input(scan, float(beta) * SIGMA)) for beta in grid])
    agrees = (given == found.classes).double()
    for gamma in torch.linspace(-0.9, 0.9, 37):
        weight = torch.softmax(-((grid - gamma) ** 2) / 2, dim=0)
        share = (agrees * weight.reshape(-1, 1, 1, 1)).sum(dim=0)
        assert (share[found.radius > gamma.abs()] > 0.5 - 0.05).all()
