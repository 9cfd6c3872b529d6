"""Training with the cache on disk is training without it, in this run and in the next."""

import pytest
import torch
from bundle_runs import SMALL, workflow

OPTIONS = {**SMALL, "epochs": 2, "val_interval": 1, "cache_rate": 0.5}


def trained(bundle, data, folder, **more):
    folders = {"dataset_dir": str(data), "ckpt_dir": str(folder), "output_dir": str(folder / "eval")}
    workflow(bundle, ["train"], **{**OPTIONS, **folders, **more}).run()
    return torch.load(folder / "model_final.pt", weights_only=True)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_weights_are_the_same_with_an_empty_and_with_a_filled_cache(bundle, task04_phantom, tmp_path, num_workers):
    cache = tmp_path / "cache"
    options = {"num_workers": num_workers}
    expected = trained(bundle, task04_phantom, tmp_path / "without", **options)
    found = []
    for run in ("empty", "filled"):
        weights = trained(bundle, task04_phantom, tmp_path / run, cache_dir=str(cache), **options)
        assert all(torch.equal(weights[name], expected[name]) for name in expected)
        found.append({file: file.stat().st_mtime_ns for file in cache.iterdir()})
    assert len(found[0]) == 6, "four training and two validation cases"
    assert found[0] == found[1]
