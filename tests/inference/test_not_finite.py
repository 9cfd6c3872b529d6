"""A network that gives no finite logits gives no mask: inference and evaluation refuse, by the scan's name."""

import pytest
import torch
from bundle_runs import SMALL, UNET, refusal, unet, workflow
from monai.networks.nets import UNet


class Broken(UNet):
    """Gives finite logits for what it is tried with, zeros, and none for a scan."""

    def forward(self, image):
        return super().forward(image) / (0 if image.device.type == "cpu" and image.any() else 1)


@pytest.mark.parametrize("configs", [["inference"], ["train", "evaluate"]])
def test_it_is_refused_by_the_scans_name(bundle, task04_phantom, tmp_path, configs):
    network = {**UNET, "_target_": f"{__name__}.Broken"}
    weights = tmp_path / "weights.pt"
    torch.save(unet().state_dict(), weights)
    values = {"dataset_dir": str(task04_phantom), "output_dir": str(tmp_path / "out"), "weights": str(weights)}
    values |= {"network_def": network, "val_patch_size": [16, 16, 16]}
    values |= {} if configs == ["inference"] else {"num_workers": SMALL["num_workers"]}
    message = refusal(lambda: workflow(bundle, configs, **values).run())
    assert "what the network gives for it is not finite" in message
    assert ".nii.gz: " in message
    assert not list((tmp_path / "out").glob("*.nii.gz"))
