"""What the console leaves out: what MONAI says of its own inside."""

import warnings

import pytest
import torch
from monai.metrics.utils import get_edge_surface_distance

from seat_components.running.console import silence_monai


@pytest.mark.parametrize("silent", [False, True])
def test_nobody_reads_what_monai_itself_calls(silent):
    mask = torch.zeros(6, 6, 6, dtype=torch.bool)
    mask[2:4, 2:4, 2:4] = True
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        if silent:
            silence_monai()
        get_edge_surface_distance(mask, mask)
        torch.cuda.amp.GradScaler(enabled=False)
    # Once MONAI no longer calls them so, the filters can go.
    assert bool([warning for warning in said if warning.category is FutureWarning]) is not silent
