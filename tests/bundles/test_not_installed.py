"""A bundle without the package that it needs says how to install it, as nothing of the package can."""

import sys

import pytest
from bundle_runs import files
from monai.bundle import ConfigWorkflow


@pytest.mark.parametrize("configs", [["train"], ["train", "attack"], ["inference"]])
def test_without_the_package_a_run_ends_with_how_to_install_it(bundle, monkeypatch, configs):
    monkeypatch.setitem(sys.modules, "seat_components", None)
    flow = ConfigWorkflow(config_file=files(bundle, configs), workflow_type="train", bundle_root=str(bundle))
    with pytest.raises(SystemExit, match=r"^ERROR: seat_components is not installed here.* pip install \."):
        flow.initialize()
