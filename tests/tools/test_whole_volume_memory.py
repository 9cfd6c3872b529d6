"""Whole volumes need a bounded number of bytes per voxel, so that a 512×512×600 CT fits into 16 GB."""

import pytest

from tools.whole_volume_memory import measure

SPACING = (0.8, 0.8, 1.25)  # mm; resampled to the task's, there are 1.36 times as many voxels
SMALL, LARGE = (128, 128, 16), (256, 256, 96)
VOXELS = 512 * 512 * 600


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["inference", "evaluate"])
def test_memory_grows_with_the_volume_so_that_a_large_ct_fits(kind):
    """The rest (libraries, one window) does not depend on the volume: two sizes tell both apart."""
    (small, _), (large, _) = (measure("Task03_Liver", shape, SPACING, kind) for shape in (SMALL, LARGE))
    voxels = [shape[0] * shape[1] * shape[2] for shape in (SMALL, LARGE)]
    per_voxel = (large - small) / (voxels[1] - voxels[0])
    assert small + per_voxel * VOXELS < 16e9 / 2**30
